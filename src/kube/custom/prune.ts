// A custom resource as its schema leaves it: without what the schema does not know, and with what it fills in. Pure; what is
// handed in is not changed.
import { isJsonObject } from '../decode.ts';
import { isEmbedded, itemsOf, preservesUnknown, type Schema, valuesOf } from './structural-schema.ts';

/** Fields of an object that is a resource of its own, which its schema need not name. */
const RESOURCE_FIELDS = ['apiVersion', 'kind', 'metadata'];

const EVERYTHING: Schema = { 'x-kubernetes-preserve-unknown-fields': true };

/** Calls back with the path of everything that is dropped. */
export function pruned(
  value: unknown,
  schema: Schema,
  onUnknown: (path: string) => void,
  path = '',
): unknown {
  if (Array.isArray(value)) {
    const items = itemsOf(schema) ?? (preservesUnknown(schema) ? EVERYTHING : {});
    return value.map((item, index) => pruned(item, items, onUnknown, `${path}[${index}]`));
  }
  if (!isJsonObject(value)) return value;
  const values = valuesOf(schema);
  const keepsAll = preservesUnknown(schema);
  const entries = Object.entries(value).flatMap(([name, one]) => {
    const below = path === '' ? name : `${path}.${name}`;
    const known = schema.properties?.[name] ?? values;
    if (known !== undefined) return [[name, pruned(one, known, onUnknown, below)] as const];
    if (keepsAll || (isEmbedded(schema) && RESOURCE_FIELDS.includes(name))) return [[name, one] as const];
    onUnknown(below);
    return [];
  });
  return Object.fromEntries(entries);
}

/** Null where the schema knows no null counts as absent when there is a default to take its place. */
export function defaulted(value: unknown, schema: Schema): unknown {
  if (Array.isArray(value)) {
    const items = itemsOf(schema);
    return items === undefined ? value : value.map((item) => defaulted(item, items));
  }
  if (!isJsonObject(value)) return value;
  const filled: { [name: string]: unknown } = { ...value };
  for (const [name, one] of Object.entries(schema.properties ?? {})) {
    const isAbsent = filled[name] === undefined || (filled[name] === null && one.nullable !== true);
    if (isAbsent && one.default !== undefined) filled[name] = one.default;
    if (filled[name] !== undefined) filled[name] = defaulted(filled[name], one);
  }
  const values = valuesOf(schema);
  if (values !== undefined) {
    for (const [name, one] of Object.entries(filled)) filled[name] = defaulted(one, values);
  }
  return filled;
}
