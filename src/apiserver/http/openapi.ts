// OpenAPI v3 of each group and version, made from the table of kinds and api-schema.json: enough for kubectl's explain and
// its check whether the server validates fields.
import { createHash } from 'node:crypto';
import { MERGE_KEYS, RETAIN_KEYS } from '../../kube/patch/merge-keys.ts';
import { type FieldSchema, findType, type TypeSchema, typeNames, typeSchema } from '../../kube/schema.ts';
import type { Kind } from '../kind.ts';
import { groupVersion } from '../request.ts';

type Json = { readonly [key: string]: unknown };

const PRIMITIVES: { readonly [word: string]: Json } = {
  string: { type: 'string' },
  bytes: { type: 'string', format: 'byte' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  number: { type: 'number', format: 'double' },
  boolean: { type: 'boolean' },
  time: { type: 'string', format: 'date-time' },
  quantity: { oneOf: [{ type: 'string' }, { type: 'number' }] },
  intOrString: { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] },
  any: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
};

const schemaName = (type: string): string => `io.k8s.api.core.v1.${type}`;

function reference(word: string): Json {
  return PRIMITIVES[word] ?? { $ref: `#/components/schemas/${schemaName(word)}` };
}

function fieldSchema({ shape, word }: FieldSchema): Json {
  const one = reference(word);
  switch (shape) {
    case 'one':
      // A reference may have no siblings.
      return '$ref' in one ? { allOf: [one], default: {} } : one;
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
  if (mergeKey === undefined) return {};
  return {
    'x-kubernetes-patch-strategy': RETAIN_KEYS.includes(field) ? 'merge,retainKeys' : 'merge',
    ...(mergeKey === null ? {} : { 'x-kubernetes-patch-merge-key': mergeKey }),
  };
}

function typeDocument(type: TypeSchema, kinds: readonly Kind[]): Json {
  const served = kinds.filter(({ schema }) => schema === type.name);
  const names = served.map(({ group, version, kind }) => ({ group, version, kind }));
  return {
    type: 'object',
    properties: Object.fromEntries(
      [...type.fields].map(([name, field]) => [
        name,
        { ...fieldSchema(field), ...patchExtensions(`${type.name}.${name}`) },
      ]),
    ),
    ...(type.required.length > 0 ? { required: type.required } : {}),
    ...(names.length > 0 ? { 'x-kubernetes-group-version-kind': names } : {}),
  };
}

const parameter = (name: string, place: 'query' | 'path' = 'query'): Json => ({
  name,
  in: place,
  ...(place === 'path' ? { required: true } : {}),
  schema: { type: 'string', uniqueItems: true },
});

const WRITE_PARAMETERS = ['dryRun', 'fieldManager', 'fieldValidation'].map((name) => parameter(name));

function operation(kind: Kind, action: string, parameters: readonly Json[] = []): Json {
  const { group, version, kind: name } = kind;
  const content = { 'application/json': { schema: reference(kind.schema) } };
  return {
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': { group, version, kind: name },
    parameters,
    responses: { 200: { description: 'OK', content } },
    ...(['post', 'put'].includes(action)
      ? { requestBody: { content: { '*/*': { schema: reference(kind.schema) } } } }
      : {}),
  };
}

/** PATCH is described for each patch type: kubectl looks there for fieldValidation. */
function patchOperation(kind: Kind): Json {
  const schema = { type: 'object' };
  const types = ['json-patch', 'merge-patch', 'strategic-merge-patch'].map(
    (type) => `application/${type}+json`,
  );
  const content = Object.fromEntries(types.map((type) => [type, { schema }]));
  return { ...operation(kind, 'patch', WRITE_PARAMETERS), requestBody: { content } };
}

function paths(kind: Kind): Json {
  const root = kind.group === '' ? `/api/${kind.version}` : `/apis/${groupVersion(kind)}`;
  const collection = `${root}/${kind.namespaced ? 'namespaces/{namespace}/' : ''}${kind.plural}`;
  const scope = kind.namespaced ? [parameter('namespace', 'path')] : [];
  return {
    [collection]: {
      get: operation(kind, 'list'),
      post: operation(kind, 'post', WRITE_PARAMETERS),
      delete: operation(kind, 'deletecollection'),
      parameters: scope,
    },
    [`${collection}/{name}`]: {
      get: operation(kind, 'get'),
      put: operation(kind, 'put', WRITE_PARAMETERS),
      patch: patchOperation(kind),
      delete: operation(kind, 'delete', [parameter('dryRun')]),
      parameters: [parameter('name', 'path'), ...scope],
    },
  };
}

/** The types a kind is made of, itself included. */
function typesOf(roots: readonly string[]): Set<string> {
  const found = new Set<string>();
  const queue = [...roots];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (found.has(name) || findType(name) === undefined) continue;
    found.add(name);
    queue.push(...[...typeSchema(name).fields.values()].map(({ word }) => word));
  }
  return found;
}

function document(kinds: readonly Kind[]): string {
  const types = typesOf(kinds.map(({ schema }) => schema));
  const schemas = typeNames()
    .filter((name) => types.has(name))
    .map((name) => [schemaName(name), typeDocument(typeSchema(name), kinds)]);
  return JSON.stringify({
    openapi: '3.0.0',
    info: { title: 'Podwright', version: 'v1.36.2' },
    paths: Object.assign({}, ...kinds.map(paths)) as Json,
    components: { schemas: Object.fromEntries(schemas) as Json },
  });
}

export type OpenApi = {
  /** The text to answer with; undefined for a path that is not OpenAPI's. */
  answer(path: string): string | undefined;
};

/** Documents are made when first asked for. */
export function createOpenApi(kinds: readonly Kind[]): OpenApi {
  const byPath = Map.groupBy(kinds, (kind) => `${kind.group === '' ? 'api' : 'apis'}/${groupVersion(kind)}`);
  const documents = new Map<string, string>();
  const documentOf = (path: string): string | undefined => {
    const members = byPath.get(path);
    if (members === undefined) return undefined;
    const text = documents.get(path) ?? document(members);
    documents.set(path, text);
    return text;
  };
  const index = (): string => {
    const entries = [...byPath.keys()].map((path) => {
      const hash = createHash('sha256')
        .update(documentOf(path) ?? '')
        .digest('hex')
        .slice(0, 32);
      return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }];
    });
    return JSON.stringify({ paths: Object.fromEntries(entries) as Json });
  };
  return {
    answer(path) {
      if (path === '/openapi/v3') return index();
      return path.startsWith('/openapi/v3/') ? documentOf(path.slice('/openapi/v3/'.length)) : undefined;
    },
  };
}
