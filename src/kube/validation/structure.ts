// What the schema alone demands: required fields, and fields that may not change. For kinds that are stored faithfully and
// have no rules of their own here.
import { isDeepStrictEqual } from 'node:util';
import { isJsonObject } from '../decode.ts';
import { type FieldError, invalid, required } from '../field-error.ts';
import { type FieldSchema, findType, typeSchema } from '../schema.ts';

function belowField(value: unknown, { shape, word }: FieldSchema, path: string): FieldError[] {
  if (findType(word) === undefined) return [];
  if (shape === 'list' && Array.isArray(value)) {
    return value.flatMap((item, index) => requiredFields(word, item, `${path}[${index}]`));
  }
  if (shape === 'map' && isJsonObject(value)) {
    return Object.entries(value).flatMap(([key, item]) => requiredFields(word, item, `${path}[${key}]`));
  }
  return shape === 'one' ? requiredFields(word, value, path) : [];
}

/** Every required field of the type that is not there. `path` is "" for an object's root. */
export function requiredFields(typeName: string, value: unknown, path = ''): FieldError[] {
  if (!isJsonObject(value)) return [];
  const type = typeSchema(typeName);
  const at = (field: string): string => (path === '' ? field : `${path}.${field}`);
  const missing = type.required
    .filter((field) => value[field] === undefined)
    .map((field) => required(at(field)));
  const below = [...type.fields]
    // A status is the controllers' own, and an object's metadata has rules of its own.
    .filter(([field]) => path !== '' || !['status', 'metadata'].includes(field))
    .flatMap(([field, schema]) => belowField(value[field], schema, at(field)));
  return [...missing, ...below];
}

function valueAt(object: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((value, field) => (isJsonObject(value) ? value[field] : undefined), object);
}

/** Paths as "spec.selector". */
export function unchangedFields(paths: readonly string[], object: unknown, old: unknown): FieldError[] {
  return paths
    .filter((path) => !isDeepStrictEqual(valueAt(object, path), valueAt(old, path)))
    .map((path) => invalid(path, valueAt(object, path), 'field is immutable'));
}
