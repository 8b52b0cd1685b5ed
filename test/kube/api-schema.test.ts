// The generated schemas against Kubernetes' published OpenAPI document: names, fields, types and required fields, and the
// tables beside them (merge keys, list types) both ways.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ATOMIC_FIELDS, ATOMIC_TYPES, LIST_TYPES } from '../../src/kube/apply/list-types.ts';
import { MERGE_KEYS, RETAIN_KEYS } from '../../src/kube/patch/merge-keys.ts';
import { type FieldSchema, typeNames, typeSchema } from '../../src/kube/schema.ts';

const SWAGGER = join(import.meta.dirname, '../../../shared/data/kubernetes-1.36/swagger.json');

type Property = {
  readonly type?: string;
  readonly format?: string;
  readonly $ref?: string;
  readonly items?: Property;
  readonly additionalProperties?: Property;
  readonly 'x-kubernetes-patch-merge-key'?: string;
  readonly 'x-kubernetes-patch-strategy'?: string;
  readonly 'x-kubernetes-list-type'?: string;
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-map-type'?: string;
};
type Definition = {
  readonly properties?: { readonly [name: string]: Property };
  readonly required?: readonly string[];
  readonly 'x-kubernetes-map-type'?: string;
};
type Swagger = { readonly definitions: { readonly [name: string]: Definition } };

const REFERENCES: { readonly [definition: string]: string } = {
  'io.k8s.apimachinery.pkg.api.resource.Quantity': 'quantity',
  'io.k8s.apimachinery.pkg.apis.meta.v1.Time': 'time',
  'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime': 'time',
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': 'intOrString',
  'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1': 'any',
  'io.k8s.apimachinery.pkg.runtime.RawExtension': 'any',
  // It has no fields.
  'io.k8s.api.scheduling.v1alpha2.BasicSchedulingPolicy': 'any',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceSubresourceStatus': 'any',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON': 'any',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray': 'any',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool': 'any',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray': 'any',
};

function wordOf({ type, format, $ref }: Property): string {
  if ($ref !== undefined) {
    const definition = $ref.slice('#/definitions/'.length);
    const own = typeNames().find((name) => typeSchema(name).definition === definition);
    return REFERENCES[definition] ?? own ?? definition;
  }
  if (type === 'integer') return format === 'int32' ? 'int32' : 'int64';
  if (format === 'byte') return 'bytes';
  if (format === 'int-or-string') return 'intOrString';
  return type === 'object' || type === undefined ? 'any' : type;
}

function fieldOf(property: Property): FieldSchema {
  if (property.items !== undefined) return { shape: 'list', word: wordOf(property.items) };
  const values = property.additionalProperties;
  if (values?.items !== undefined) return { shape: 'mapOfList', word: wordOf(values.items) };
  if (values !== undefined) return { shape: 'map', word: wordOf(values) };
  return { shape: 'one', word: wordOf(property) };
}

const reason = existsSync(SWAGGER) ? false : `the published document is not at ${SWAGGER}`;
test('schemas are those Kubernetes publishes', { skip: reason }, () => {
  const { definitions } = JSON.parse(readFileSync(SWAGGER, 'utf8')) as Swagger;
  for (const name of typeNames()) {
    const type = typeSchema(name);
    const published = definitions[type.definition];
    assert.ok(published !== undefined, `${name}: ${type.definition} is not published`);
    const expected = Object.entries(published.properties ?? {}).map(
      ([field, property]) => [field, fieldOf(property)] as const,
    );
    assert.deepEqual(Object.fromEntries(type.fields), Object.fromEntries(expected), type.definition);
    assert.deepEqual([...type.required].sort(), [...(published.required ?? [])].sort(), type.definition);
  }
});

test('merge keys and list types are those Kubernetes publishes', { skip: reason }, () => {
  const { definitions } = JSON.parse(readFileSync(SWAGGER, 'utf8')) as Swagger;
  const published = typeNames().flatMap((name) =>
    Object.entries(definitions[typeSchema(name).definition]?.properties ?? {}).map(([field, property]) => ({
      field: `${name}.${field}`,
      property,
    })),
  );
  const strategies = (property: Property): readonly string[] =>
    property['x-kubernetes-patch-strategy']?.split(',') ?? [];
  const merged = published.filter(({ property }) => strategies(property).includes('merge'));
  const mergeKeys = merged.map(({ field, property }) => [
    field,
    property['x-kubernetes-patch-merge-key'] ?? null,
  ]);
  assert.deepEqual(MERGE_KEYS, Object.fromEntries(mergeKeys));
  const retained = published.filter(({ property }) => strategies(property).includes('retainKeys'));
  assert.deepEqual([...RETAIN_KEYS].sort(), retained.map(({ field }) => field).sort());
  const lists = published.flatMap(({ field, property }) => {
    const type = property['x-kubernetes-list-type'];
    if (type === 'set') return [[field, type]];
    return type === 'map' ? [[field, property['x-kubernetes-list-map-keys']]] : [];
  });
  assert.deepEqual(LIST_TYPES, Object.fromEntries(lists));
  const atomic = published.filter(({ property }) => property['x-kubernetes-map-type'] === 'atomic');
  assert.deepEqual([...ATOMIC_FIELDS].sort(), atomic.map(({ field }) => field).sort());
  const atomicTypes = typeNames().filter(
    (name) => definitions[typeSchema(name).definition]?.['x-kubernetes-map-type'] === 'atomic',
  );
  assert.deepEqual([...ATOMIC_TYPES].sort(), [...atomicTypes].sort());
});
