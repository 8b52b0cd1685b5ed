// The schemas of CustomResourceDefinitions: which are structural, and how one steps down in them. Structural means that every
// value has one place in the schema that says its type, so that objects can be pruned, defaulted and applied by it.
// https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
import type { JSONSchemaProps } from '../api-types.ts';
import { decode, isJsonObject } from '../decode.ts';
import { type FieldError, forbidden, invalid, notSupported, required } from '../field-error.ts';

export type Schema = JSONSchemaProps;

export const preservesUnknown = (schema: Schema): boolean =>
  schema['x-kubernetes-preserve-unknown-fields'] === true;
export const isIntOrString = (schema: Schema): boolean => schema['x-kubernetes-int-or-string'] === true;
export const isEmbedded = (schema: Schema): boolean => schema['x-kubernetes-embedded-resource'] === true;

/** The schema of a list's items; undefined where it says nothing. */
export function itemsOf({ items }: Schema): Schema | undefined {
  return isJsonObject(items) ? (items as Schema) : undefined;
}

/** The schema of a map's values; undefined where it is none, {} where anything goes. */
export function valuesOf({ additionalProperties }: Schema): Schema | undefined {
  if (additionalProperties === true) return { 'x-kubernetes-preserve-unknown-fields': true };
  return isJsonObject(additionalProperties) ? (additionalProperties as Schema) : undefined;
}

const JUNCTORS = ['allOf', 'anyOf', 'oneOf'] as const;
/** What api-schema.json knows as anything, and is a schema, or says yes or no. */
const UNTYPED = ['items', 'additionalProperties'] as const;

/** Schemas in places that are decoded as anything, decoded; what is none stays as it is, for `malformedErrors` to tell. */
export function normalizedSchema(schema: Schema): Schema {
  const untyped = UNTYPED.filter((name) => isJsonObject(schema[name])).map((name) => {
    const decoded = decode<Schema>('JSONSchemaProps', schema[name]);
    return [name, decoded.ok ? normalizedSchema(decoded.object) : schema[name]];
  });
  const lists = JUNCTORS.filter((name) => schema[name] !== undefined).map((name) => [
    name,
    schema[name]?.map(normalizedSchema),
  ]);
  const properties = Object.entries(schema.properties ?? {}).map(([name, one]) => [
    name,
    normalizedSchema(one),
  ]);
  return {
    ...schema,
    ...Object.fromEntries([...untyped, ...lists]),
    ...(schema.properties === undefined ? {} : { properties: Object.fromEntries(properties) }),
    ...(schema.not === undefined ? {} : { not: normalizedSchema(schema.not) }),
  };
}

/** Places of a normalized schema that hold no schema. */
export function malformedErrors(schema: Schema, path: string): FieldError[] {
  const below: [string, Schema][] = [
    ...Object.entries(schema.properties ?? {}).map(([name, one]): [string, Schema] => [
      `${path}.properties[${name}]`,
      one,
    ]),
    ...JUNCTORS.flatMap((name) =>
      (schema[name] ?? []).map((one, at): [string, Schema] => [`${path}.${name}[${at}]`, one]),
    ),
    ...(schema.not === undefined ? [] : [[`${path}.not`, schema.not] as [string, Schema]]),
  ];
  const own = UNTYPED.flatMap((name) => {
    const value = schema[name];
    const at = `${path}.${name}`;
    if (value === undefined || (name === 'additionalProperties' && typeof value === 'boolean')) return [];
    const decoded = decode<Schema>('JSONSchemaProps', value);
    if (!decoded.ok) return [invalid(at, value, `must be a schema: ${decoded.message}`)];
    return malformedErrors(value as Schema, at);
  });
  return [...own, ...below.flatMap(([at, one]) => malformedErrors(one, at))];
}

const TYPES = ['array', 'boolean', 'integer', 'number', 'object', 'string'];

/** What CustomResourceDefinitions may never say, and what they may say and Podwright does not do. */
const FORBIDDEN: Readonly<Record<string, string>> = {
  $ref: 'is not supported',
  $schema: 'is not supported',
  additionalItems: 'additionalItems is not supported',
  definitions: 'definitions is not supported',
  dependencies: 'dependencies is not supported',
  id: 'id is not supported',
  patternProperties: 'patternProperties is not supported',
  'x-kubernetes-validations': 'Podwright does not evaluate CEL rules; remove them, or check elsewhere',
};

/** Inside of allOf, anyOf, oneOf and not a schema only restricts: it may not shape. */
const SHAPING = [
  'type',
  'description',
  'title',
  'default',
  'nullable',
  'additionalProperties',
  'x-kubernetes-preserve-unknown-fields',
  'x-kubernetes-embedded-resource',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-map-type',
] as const;

function junctorErrors(schema: Schema, path: string, isOfIntOrString: boolean): FieldError[] {
  const named = Object.keys(FORBIDDEN).filter((key) => key in schema);
  const shaping = SHAPING.filter((key) => key in schema && !(key === 'type' && isOfIntOrString));
  return [
    ...named.map((key) => forbidden(`${path}.${key}`, FORBIDDEN[key] ?? '')),
    ...shaping.map((key) => forbidden(`${path}.${key}`, 'must be empty to be structural')),
    ...Object.entries(schema.properties ?? {}).flatMap(([name, one]) =>
      junctorErrors(one, `${path}.properties[${name}]`, false),
    ),
    ...allJunctorErrors(schema, path),
  ];
}

function allJunctorErrors(schema: Schema, path: string): FieldError[] {
  const lists = JUNCTORS.flatMap((name) =>
    (schema[name] ?? []).flatMap((one, index) =>
      junctorErrors(one, `${path}.${name}[${index}]`, isIntOrString(schema)),
    ),
  );
  return schema.not === undefined ? lists : [...lists, ...junctorErrors(schema.not, `${path}.not`, false)];
}

function typeErrors(schema: Schema, path: string, what: string): FieldError[] {
  const { type } = schema;
  if (type === undefined || type === '') {
    if (isIntOrString(schema) || preservesUnknown(schema)) return [];
    return [required(`${path}.type`, `must not be empty for specified ${what}`)];
  }
  if (!TYPES.includes(type)) return [notSupported(`${path}.type`, type, TYPES)];
  if (isIntOrString(schema)) {
    const why = 'must be empty if x-kubernetes-int-or-string is true';
    return [invalid(`${path}.type`, type, why)];
  }
  return [];
}

function listErrors(schema: Schema, path: string): FieldError[] {
  const type = schema['x-kubernetes-list-type'];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const item = itemsOf(schema);
  return [
    ...(schema.type === 'array' && item === undefined
      ? [required(`${path}.items`, 'must be specified')]
      : []),
    ...(schema.uniqueItems === true
      ? [
          forbidden(
            `${path}.uniqueItems`,
            'uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
          ),
        ]
      : []),
    ...(type === undefined || ['atomic', 'set', 'map'].includes(type)
      ? []
      : [notSupported(`${path}.x-kubernetes-list-type`, type, ['atomic', 'map', 'set'])]),
    ...(type === 'map' && keys.length === 0
      ? [required(`${path}.x-kubernetes-list-map-keys`, 'must not be empty if x-kubernetes-list-type is map')]
      : []),
    ...(type === 'map' ? keys : [])
      .filter((key) => item?.properties?.[key] === undefined)
      .map((key) =>
        invalid(`${path}.x-kubernetes-list-map-keys`, key, `entries must all be names of item properties`),
      ),
  ];
}

/** Everything that keeps the schema from being served. `what` is what the schema stands for: "object fields". */
export function structuralErrors(schema: Schema, path: string, what = 'object fields'): FieldError[] {
  const item = itemsOf(schema);
  const values = valuesOf(schema);
  const hasBoth = schema.properties !== undefined && values !== undefined;
  return [
    ...typeErrors(schema, path, what),
    ...Object.keys(FORBIDDEN)
      .filter((key) => key in schema)
      .map((key) => forbidden(`${path}.${key}`, FORBIDDEN[key] ?? '')),
    ...(hasBoth
      ? [
          forbidden(
            `${path}.additionalProperties`,
            'additionalProperties and properties are mutual exclusive',
          ),
        ]
      : []),
    ...patternErrors(schema, path),
    ...listErrors(schema, path),
    ...allJunctorErrors(schema, path),
    ...Object.entries(schema.properties ?? {}).flatMap(([name, one]) =>
      structuralErrors(one, `${path}.properties[${name}]`),
    ),
    ...(item === undefined ? [] : structuralErrors(item, `${path}.items`, 'array items')),
    ...(isJsonObject(schema.additionalProperties) && values !== undefined
      ? structuralErrors(values, `${path}.additionalProperties`)
      : []),
  ];
}

function patternErrors({ pattern }: Schema, path: string): FieldError[] {
  if (pattern === undefined) return [];
  try {
    new RegExp(pattern, 'u');
    return [];
  } catch {
    return [invalid(`${path}.pattern`, pattern, 'must be a valid regular expression')];
  }
}
