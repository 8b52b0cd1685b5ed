// Kubernetes' own patch, application/strategic-merge-patch+json: a merge patch that knows which lists are merged by a
// key. Directives: $patch (merge, replace, delete), $retainKeys, $deleteFromPrimitiveList/<f>, $setElementOrder/<f>.
// https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
import { isDeepStrictEqual } from 'node:util';
import { PodwrightError } from '../../base/errors.ts';
import { isJsonObject } from '../decode.ts';
import { findType } from '../schema.ts';
import { MERGE_KEYS } from './merge-keys.ts';
import { applyMergePatch } from './merge-patch.ts';

type JsonObject = { readonly [key: string]: unknown };
type ListMerge = {
  /** What names an item; null: the items are plain values. */
  readonly mergeKey: string | null;
  readonly itemType: string;
  /** $setElementOrder of this list. */
  readonly order: readonly unknown[] | undefined;
};

const DELETE_PREFIX = '$deleteFromPrimitiveList/';
const ORDER_PREFIX = '$setElementOrder/';

function bad(message: string): PodwrightError {
  return new PodwrightError('BadRequest', `strategic merge patch: ${message}`);
}

function listOf(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw bad(`${what} must be a list`);
}

/** The document is not changed; the result shares what was not touched. @throws BadRequest */
export function applyStrategicMergePatch(document: unknown, patch: unknown, typeName: string): unknown {
  if (!isJsonObject(patch)) throw bad('the patch must be an object');
  return mergeObject(isJsonObject(document) ? document : {}, patch, typeName);
}

function mergeObject(document: JsonObject, patch: JsonObject, typeName: string): JsonObject {
  const { $patch: directive, $retainKeys: retain, ...fields } = patch;
  if (directive === 'delete') return {};
  checkDirective(directive);
  const base = directive === 'replace' ? {} : retained(document, retain);
  const result: { [key: string]: unknown } = { ...base };
  const lists = new Set<string>();
  for (const [key, value] of Object.entries(fields)) {
    const listName = [ORDER_PREFIX, DELETE_PREFIX].find((prefix) => key.startsWith(prefix));
    if (listName !== undefined) lists.add(key.slice(listName.length));
    else if (value === null) delete result[key];
    else if (isMergedList(typeName, key)) lists.add(key);
    else result[key] = mergeField(base[key], value, fieldType(typeName, key));
  }
  for (const field of lists) {
    if (fields[field] === null) continue;
    const merged = mergeListField(base[field], fields, { typeName, field });
    if (merged !== undefined) result[field] = merged;
  }
  return result;
}

function checkDirective(directive: unknown): void {
  if (directive === undefined || ['merge', 'replace', 'delete'].includes(directive as string)) return;
  throw bad(`unrecognized $patch directive ${JSON.stringify(directive)}`);
}

function retained(document: JsonObject, retain: unknown): JsonObject {
  if (retain === undefined) return document;
  const kept = new Set(listOf(retain, '$retainKeys'));
  return Object.fromEntries(Object.entries(document).filter(([key]) => kept.has(key)));
}

function isMergedList(typeName: string, field: string): boolean {
  return MERGE_KEYS[`${typeName}.${field}`] !== undefined;
}

/** The type to merge the field's object by; undefined: maps, primitives and replaced lists. */
function fieldType(typeName: string, field: string): string | undefined {
  const schema = findType(typeName)?.fields.get(field);
  return schema?.shape === 'one' && findType(schema.word) !== undefined ? schema.word : undefined;
}

function mergeField(current: unknown, value: unknown, typeName: string | undefined): unknown {
  if (typeName === undefined || !isJsonObject(value)) {
    if (isJsonObject(value) && value.$patch === 'replace') {
      const { $patch: _, ...rest } = value;
      return rest;
    }
    return applyMergePatch(current, value);
  }
  return mergeObject(isJsonObject(current) ? current : {}, value, typeName);
}

function mergeListField(
  current: unknown,
  fields: JsonObject,
  { typeName, field }: { readonly typeName: string; readonly field: string },
): readonly unknown[] | undefined {
  const order = fields[ORDER_PREFIX + field];
  const removed = fields[DELETE_PREFIX + field];
  const merge: ListMerge = {
    mergeKey: MERGE_KEYS[`${typeName}.${field}`] ?? null,
    itemType: findType(typeName)?.fields.get(field)?.word ?? 'any',
    order: order === undefined ? undefined : listOf(order, ORDER_PREFIX + field),
  };
  const document = Array.isArray(current) ? current : [];
  if (fields[field] === undefined && current === undefined) return undefined;
  const patch = listOf(fields[field] ?? [], field);
  if (merge.mergeKey !== null) return mergeItems(document, patch, { ...merge, mergeKey: merge.mergeKey });
  const gone = new Set(removed === undefined ? [] : listOf(removed, DELETE_PREFIX + field));
  const values = [...new Set([...document, ...patch])].filter((value) => !gone.has(value));
  return inOrder(values, document, { ...merge, keyOf: (value) => value });
}

function mergeItems(
  document: readonly unknown[],
  patch: readonly unknown[],
  merge: ListMerge & { readonly mergeKey: string },
): readonly unknown[] {
  const keyOf = (item: unknown): unknown => (isJsonObject(item) ? item[merge.mergeKey] : undefined);
  const isReplaced = patch.some((item) => isJsonObject(item) && item.$patch === 'replace');
  let items: unknown[] = isReplaced ? [] : [...document];
  for (const item of patch) {
    if (!isJsonObject(item)) throw bad(`a list merged by ${merge.mergeKey} holds objects only`);
    const { $patch: directive, ...content } = item;
    if (directive === 'replace' && Object.keys(content).length === 0) continue;
    checkDirective(directive);
    const key = keyOf(item);
    if (key === undefined) throw bad(`an item does not contain declared merge key: ${merge.mergeKey}`);
    const index = items.findIndex((one) => isDeepStrictEqual(keyOf(one), key));
    if (directive === 'delete') items = items.filter((one) => !isDeepStrictEqual(keyOf(one), key));
    else if (index < 0) items.push(mergeField({}, content, merge.itemType));
    else items[index] = mergeField(items[index], content, merge.itemType);
  }
  return inOrder(items, document, { ...merge, keyOf });
}

/** Items that $setElementOrder names come in its order; the others keep their place among those that were there. */
function inOrder(
  items: readonly unknown[],
  document: readonly unknown[],
  merge: { readonly order: readonly unknown[] | undefined; readonly keyOf: (item: unknown) => unknown },
): readonly unknown[] {
  const { order, keyOf } = merge;
  if (order === undefined) return items;
  const position = (list: readonly unknown[], item: unknown): number =>
    list.findIndex((one) => isDeepStrictEqual(keyOf(one), keyOf(item)));
  const named = items
    .filter((item) => position(order, item) >= 0)
    .sort((a, b) => position(order, a) - position(order, b));
  const others = items.filter((item) => position(order, item) < 0);
  const result: unknown[] = [];
  for (const item of named) {
    const place = position(document, item);
    while (others.length > 0 && place >= 0 && position(document, others[0]) < place)
      result.push(others.shift());
    result.push(item);
  }
  return [...result, ...others];
}
