// The types of the API as OpenAPI schemas, under Kubernetes' own names and with its descriptions. Versions 2 and 3 differ in
// where definitions stand and in what may stand beside a reference; both are made here.
import { readFile } from 'node:fs/promises';
import { ATOMIC_FIELDS, ATOMIC_TYPES, LIST_TYPES } from '../../../kube/apply/list-types.ts';
import { MERGE_KEYS, RETAIN_KEYS } from '../../../kube/patch/merge-keys.ts';
import { type FieldSchema, findType, type TypeSchema, typeSchema } from '../../../kube/schema.ts';
import type { Kind } from '../../kind.ts';
import { customDefinition, customDefinitionName } from './custom.ts';

export type Json = { readonly [key: string]: unknown };
export type Version = 'v2' | 'v3';

const PRIMITIVES: { readonly [word: string]: Json } = {
  string: { type: 'string' },
  bytes: { type: 'string', format: 'byte' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  number: { type: 'number', format: 'double' },
  boolean: { type: 'boolean' },
  any: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
};

/** Types with a spelling of their own, which Kubernetes defines beside the structs. */
const SCALARS: {
  readonly [word: string]: { readonly definition: string; readonly v2: Json; readonly v3: Json };
} = {
  time: {
    definition: 'io.k8s.apimachinery.pkg.apis.meta.v1.Time',
    v2: { type: 'string', format: 'date-time' },
    v3: { type: 'string', format: 'date-time' },
  },
  quantity: {
    definition: 'io.k8s.apimachinery.pkg.api.resource.Quantity',
    v2: { type: 'string' },
    v3: { oneOf: [{ type: 'string' }, { type: 'number' }] },
  },
  intOrString: {
    definition: 'io.k8s.apimachinery.pkg.util.intstr.IntOrString',
    v2: { type: 'string', format: 'int-or-string' },
    v3: { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] },
  },
};

const PREFIXES: Readonly<Record<Version, string>> = { v2: '#/definitions/', v3: '#/components/schemas/' };

export function reference(word: string, version: Version): Json {
  const definition = SCALARS[word]?.definition ?? findType(word)?.definition;
  return definition === undefined ? (PRIMITIVES[word] ?? {}) : { $ref: PREFIXES[version] + definition };
}

/** The kind's own definition. */
export function kindReference(kind: Kind, version: Version): Json {
  if (kind.custom === undefined) return reference(kind.schema, version);
  return { $ref: PREFIXES[version] + customDefinitionName(kind) };
}

function shaped({ shape, word }: FieldSchema, version: Version): Json {
  const one = reference(word, version);
  switch (shape) {
    case 'one':
      // In version 3 a reference may have no siblings.
      return '$ref' in one && version === 'v3' ? { allOf: [one], default: {} } : one;
    case 'list':
      return { type: 'array', items: one };
    case 'map':
      return { type: 'object', additionalProperties: one };
    case 'mapOfList':
      return { type: 'object', additionalProperties: { type: 'array', items: one } };
  }
}

/** kubectl apply makes its patches by these: without them it would replace whole lists. */
function patchExtensions(field: string): Json {
  const mergeKey = MERGE_KEYS[field];
  if (mergeKey === undefined) {
    return RETAIN_KEYS.includes(field) ? { 'x-kubernetes-patch-strategy': 'retainKeys' } : {};
  }
  return {
    'x-kubernetes-patch-strategy': RETAIN_KEYS.includes(field) ? 'merge,retainKeys' : 'merge',
    ...(mergeKey === null ? {} : { 'x-kubernetes-patch-merge-key': mergeKey }),
  };
}

function listExtensions(field: string, { shape }: FieldSchema): Json {
  if (ATOMIC_FIELDS.has(field)) return { 'x-kubernetes-map-type': 'atomic' };
  if (shape !== 'list') return {};
  const keys = LIST_TYPES[field];
  if (keys === undefined) return { 'x-kubernetes-list-type': 'atomic' };
  if (keys === 'set') return { 'x-kubernetes-list-type': 'set' };
  return { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': keys };
}

type Docs = { readonly [field: string]: string };
/** By type, then by field; "" is the type itself. */
export type TypeDocs = { readonly [type: string]: Docs };

/** Half a megabyte that only OpenAPI needs: read for a document, not kept. */
export async function readDocs(): Promise<TypeDocs> {
  const file = new URL('../../../kube/api-docs.json', import.meta.url);
  return JSON.parse(await readFile(file, 'utf8')) as TypeDocs;
}

function described(text: string | undefined): Json {
  return text === undefined || text === '' ? {} : { description: text };
}

function typeDefinition(
  type: TypeSchema,
  kinds: readonly Kind[],
  options: { version: Version; docs: Docs },
): Json {
  const { version, docs } = options;
  const served = kinds.filter(({ schema }) => schema === type.name);
  const names = served.map(({ group, version: own, kind }) => ({ group, version: own, kind }));
  const properties = [...type.fields].map(([name, field]) => {
    const path = `${type.name}.${name}`;
    const extensions = { ...patchExtensions(path), ...listExtensions(path, field) };
    return [name, { ...described(docs[name]), ...shaped(field, version), ...extensions }] as const;
  });
  return {
    ...described(docs['']),
    type: 'object',
    ...(properties.length > 0 ? { properties: Object.fromEntries(properties) } : {}),
    ...(type.required.length > 0 ? { required: type.required } : {}),
    ...(ATOMIC_TYPES.has(type.name) ? { 'x-kubernetes-map-type': 'atomic' } : {}),
    ...(names.length > 0 ? { 'x-kubernetes-group-version-kind': names } : {}),
  };
}

/** The types the roots are made of, themselves included. */
function typesOf(roots: readonly string[]): string[] {
  const found = new Set<string>();
  const queue = [...roots];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (found.has(name) || findType(name) === undefined) continue;
    found.add(name);
    queue.push(...[...typeSchema(name).fields.values()].map(({ word }) => word));
  }
  return [...found].sort();
}

/** Every definition that the kinds are made of, by Kubernetes' name. */
export function definitionsOf(kinds: readonly Kind[], docs: TypeDocs, version: Version): Json {
  const roots = [...kinds.map(({ schema }) => schema), 'ObjectMeta', 'Status', 'DeleteOptions'];
  const scalars = Object.values(SCALARS).map((scalar) => [scalar.definition, scalar[version]] as const);
  const types = typesOf(roots).map((name) => {
    const type = typeSchema(name);
    return [type.definition, typeDefinition(type, kinds, { version, docs: docs[name] ?? {} })] as const;
  });
  const customs = kinds
    .filter(({ custom }) => custom !== undefined)
    .map((kind) => {
      const metadata = shaped({ shape: 'one', word: 'ObjectMeta' }, version);
      return [customDefinitionName(kind), customDefinition(kind, version, metadata)] as const;
    });
  return Object.fromEntries([...scalars, ...types, ...customs]);
}
