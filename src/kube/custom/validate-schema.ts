// Whether a value is what its schema says, in the words of kube-apiserver's validator (k8s.io/kube-openapi/pkg/validation).
import { isDeepStrictEqual } from 'node:util';
import { isJsonObject } from '../decode.ts';
import { duplicate, type FieldError, invalid, notSupported, required, tooMany } from '../field-error.ts';
import { isIntOrString, itemsOf, preservesUnknown, type Schema, valuesOf } from './structural-schema.ts';

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function typeErrors(value: unknown, schema: Schema, path: string): FieldError[] {
  const found = typeOf(value);
  if (isIntOrString(schema)) {
    if (found === 'integer' || found === 'string') return [];
    return [invalid(path, found, `${path} in body must be of type integer,string: "${found}"`)];
  }
  const { type } = schema;
  if (type === undefined || type === '' || found === type || (type === 'number' && found === 'integer'))
    return [];
  return [invalid(path, found, `${path} in body must be of type ${type}: "${found}"`)];
}

function numberErrors(value: number, schema: Schema, path: string): FieldError[] {
  const { minimum, maximum, multipleOf, exclusiveMinimum = false, exclusiveMaximum = false } = schema;
  const error = (why: string): FieldError => invalid(path, value, `${path} in body should be ${why}`);
  const isLow = minimum !== undefined && (exclusiveMinimum ? value <= minimum : value < minimum);
  const isHigh = maximum !== undefined && (exclusiveMaximum ? value >= maximum : value > maximum);
  return [
    ...(isLow ? [error(`greater than ${exclusiveMinimum ? '' : 'or equal to '}${minimum}`)] : []),
    ...(isHigh ? [error(`less than ${exclusiveMaximum ? '' : 'or equal to '}${maximum}`)] : []),
    ...(multipleOf !== undefined && !Number.isInteger(value / multipleOf)
      ? [error(`a multiple of ${multipleOf}`)]
      : []),
  ];
}

/** Formats that mean something to Kubernetes; every other is a note to the reader. */
const FORMATS: { readonly [format: string]: (text: string) => boolean } = {
  date: (text) => /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)),
  'date-time': (text) => /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d/.test(text) && !Number.isNaN(Date.parse(text)),
  byte: (text) => /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0,
  uuid: (text) => /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i.test(text),
  ipv4: (text) => /^(\d{1,3}\.){3}\d{1,3}$/.test(text) && text.split('.').every((part) => Number(part) < 256),
  email: (text) => /^[^@\s]+@[^@\s]+$/.test(text),
  uri: (text) => URL.canParse(text),
};

function textErrors(
  value: string,
  { minLength, maxLength, pattern, format }: Schema,
  path: string,
): FieldError[] {
  const length = [...value].length;
  const error = (why: string): FieldError => invalid(path, value, `${path} in body should ${why}`);
  return [
    ...(minLength !== undefined && length < minLength ? [error(`be at least ${minLength} chars long`)] : []),
    ...(maxLength !== undefined && length > maxLength
      ? [
          {
            reason: 'FieldValueTooLong',
            field: path,
            message: `Too long: may not be more than ${maxLength} bytes`,
          },
        ]
      : []),
    ...(pattern !== undefined && !new RegExp(pattern, 'u').test(value) ? [error(`match '${pattern}'`)] : []),
    ...(format !== undefined && FORMATS[format]?.(value) === false
      ? [invalid(path, value, `${path} in body must be of type ${format}: ${JSON.stringify(value)}`)]
      : []),
  ];
}

function listTypeErrors(value: readonly unknown[], schema: Schema, path: string): FieldError[] {
  const type = schema['x-kubernetes-list-type'];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  if (type !== 'set' && type !== 'map') return [];
  const identities = value.map((item) => {
    if (type === 'set') return item;
    const fields = isJsonObject(item) ? item : {};
    return Object.fromEntries(keys.filter((key) => key in fields).map((key) => [key, fields[key]]));
  });
  return identities.flatMap((one, index) => {
    const isRepeated = identities.findIndex((other) => isDeepStrictEqual(one, other)) < index;
    return isRepeated ? [duplicate(`${path}[${index}]`, one)] : [];
  });
}

function listErrors(value: readonly unknown[], schema: Schema, path: string): FieldError[] {
  const { minItems, maxItems } = schema;
  const items = itemsOf(schema);
  return [
    ...(minItems !== undefined && value.length < minItems
      ? [invalid(path, value.length, `${path} in body should have at least ${minItems} items`)]
      : []),
    ...(maxItems !== undefined && value.length > maxItems ? [tooMany(path, value.length, maxItems)] : []),
    ...listTypeErrors(value, schema, path),
    ...(items === undefined
      ? []
      : value.flatMap((item, index) => schemaErrors(item, items, `${path}[${index}]`))),
  ];
}

function objectErrors(
  value: { readonly [name: string]: unknown },
  schema: Schema,
  path: string,
): FieldError[] {
  const at = (name: string): string => (path === '' ? name : `${path}.${name}`);
  const { minProperties, maxProperties, properties = {} } = schema;
  const count = Object.keys(value).length;
  const values = valuesOf(schema);
  return [
    ...(schema.required ?? []).filter((name) => value[name] === undefined).map((name) => required(at(name))),
    ...(minProperties !== undefined && count < minProperties
      ? [invalid(path, count, `${path} in body should have at least ${minProperties} properties`)]
      : []),
    ...(maxProperties !== undefined && count > maxProperties ? [tooMany(path, count, maxProperties)] : []),
    ...Object.entries(value).flatMap(([name, one]) => {
      const below = properties[name] ?? values;
      return below === undefined ? [] : schemaErrors(one, below, at(name));
    }),
  ];
}

function junctorErrors(value: unknown, schema: Schema, path: string): FieldError[] {
  const passes = (one: Schema): boolean => schemaErrors(value, one, path).length === 0;
  const { allOf = [], anyOf, oneOf, not } = schema;
  const shown = path === '' ? '<nil>' : path;
  const error = (why: string): FieldError =>
    invalid(path || '<nil>', typeOf(value), `${shown} in body ${why}`);
  const matching = (oneOf ?? []).filter(passes).length;
  return [
    ...allOf.flatMap((one) => schemaErrors(value, one, path)),
    ...(anyOf !== undefined && !anyOf.some(passes)
      ? [error('must validate at least one schema (anyOf)')]
      : []),
    ...(oneOf !== undefined && matching !== 1
      ? [
          error(
            `must validate one and only one schema (oneOf). Found ${matching === 0 ? 'none valid' : `${matching} valid alternatives`}`,
          ),
        ]
      : []),
    ...(not !== undefined && passes(not) ? [error('must not validate the schema (not)')] : []),
  ];
}

/** @param path of the value from the object's root, "" for the root itself. */
export function schemaErrors(value: unknown, schema: Schema, path = ''): FieldError[] {
  if (value === null && (schema.nullable === true || preservesUnknown(schema))) return [];
  const wrongType = typeErrors(value, schema, path);
  if (wrongType.length > 0) return wrongType;
  const isListed = schema.enum === undefined || schema.enum.some((one) => isDeepStrictEqual(one, value));
  return [
    ...(isListed ? [] : [notSupported(path, value, (schema.enum ?? []).map(String))]),
    ...(typeof value === 'number' ? numberErrors(value, schema, path) : []),
    ...(typeof value === 'string' ? textErrors(value, schema, path) : []),
    ...(Array.isArray(value) ? listErrors(value, schema, path) : []),
    ...(isJsonObject(value) ? objectErrors(value, schema, path) : []),
    ...junctorErrors(value, schema, path),
  ];
}
