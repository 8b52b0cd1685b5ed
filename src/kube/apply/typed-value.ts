// An object as server-side apply sees it: a tree whose branches are structs, maps and the lists that are shared item by
// item, and whose leaves are owned whole. Every operation of apply is a walk over branches, whatever they are.
import { isDeepStrictEqual } from 'node:util';
import { isJsonObject } from '../decode.ts';
import { type FieldSchema, findType, type TypeSchema, typeSchema } from '../schema.ts';
import { EMPTY, type FieldSet, fieldSet, MEMBER, union } from './field-set.ts';
import { ATOMIC_FIELDS, ATOMIC_TYPES, LIST_TYPES } from './list-types.ts';

export type Shape =
  | { readonly kind: 'leaf' }
  /** Free-form: objects are shared field by field, lists are owned whole. */
  | { readonly kind: 'free' }
  | { readonly kind: 'struct'; readonly type: TypeSchema }
  /** Of a custom resource's schema. */
  | { readonly kind: 'record'; readonly fieldOf: (name: string) => Shape }
  | { readonly kind: 'map'; readonly element: Shape }
  | { readonly kind: 'set' }
  | { readonly kind: 'items'; readonly keys: readonly string[]; readonly element: Shape };

const LEAF: Shape = { kind: 'leaf' };
/** Keys of items that a client may leave out: the only one Kubernetes publishes. */
const KEY_DEFAULTS: { readonly [key: string]: unknown } = { protocol: 'TCP' };

export function structShape(typeName: string): Shape {
  return { kind: 'struct', type: typeSchema(typeName) };
}

function elementShape(word: string): Shape {
  const type = findType(word);
  if (type !== undefined) return ATOMIC_TYPES.has(word) ? LEAF : { kind: 'struct', type };
  return word === 'any' ? { kind: 'free' } : LEAF;
}

/** Each is asked for at every write of an object of its type. */
const fieldShapes = new WeakMap<FieldSchema, Shape>();

function fieldShape(type: TypeSchema, field: string): Shape {
  const schema = type.fields.get(field);
  if (schema === undefined) return LEAF;
  const known = fieldShapes.get(schema);
  if (known !== undefined) return known;
  const shape = newFieldShape(`${type.name}.${field}`, schema);
  fieldShapes.set(schema, shape);
  return shape;
}

function newFieldShape(path: string, { shape, word }: FieldSchema): Shape {
  if (ATOMIC_FIELDS.has(path)) return LEAF;
  switch (shape) {
    case 'one':
      return elementShape(word);
    case 'map':
      return { kind: 'map', element: elementShape(word) };
    case 'mapOfList':
      return { kind: 'map', element: LEAF };
    case 'list': {
      const keys = LIST_TYPES[path];
      if (keys === undefined) return LEAF;
      return keys === 'set' ? { kind: 'set' } : { kind: 'items', keys, element: elementShape(word) };
    }
  }
}

type Branch = { readonly value: unknown; readonly shape: Shape };
type Branches = ReadonlyMap<string, Branch>;

function itemStep(item: unknown, keys: readonly string[]): string {
  const fields = isJsonObject(item) ? item : {};
  const present = keys
    .toSorted()
    .map((key) => [key, fields[key] ?? KEY_DEFAULTS[key]] as const)
    .filter(([, value]) => value !== undefined);
  return `k:${JSON.stringify(Object.fromEntries(present))}`;
}

function objectBranches(value: object, shapeOf: (field: string) => Shape): Branches {
  const branches = new Map<string, Branch>();
  for (const [field, one] of Object.entries(value) as [string, unknown][])
    if (one !== undefined && one !== null) branches.set(`f:${field}`, { value: one, shape: shapeOf(field) });
  return branches;
}

/** A list in which two items have the same keys cannot be shared item by item: it is owned whole. */
function listBranches(
  values: readonly unknown[],
  stepOf: (item: unknown) => string,
  shape: Shape,
): Branches | undefined {
  const branches = new Map(values.map((value) => [stepOf(value), { value, shape }]));
  return branches.size === values.length ? branches : undefined;
}

/** Undefined for a leaf. */
function branchesOf(value: unknown, shape: Shape): Branches | undefined {
  switch (shape.kind) {
    case 'leaf':
      return undefined;
    case 'free':
      return isJsonObject(value) ? objectBranches(value, () => shape) : undefined;
    case 'struct': {
      if (!isJsonObject(value)) return undefined;
      const { type } = shape;
      return objectBranches(value, (field) => fieldShape(type, field));
    }
    case 'record':
      return isJsonObject(value) ? objectBranches(value, shape.fieldOf) : undefined;
    case 'map':
      return isJsonObject(value) ? objectBranches(value, () => shape.element) : undefined;
    case 'set':
      return Array.isArray(value)
        ? listBranches(value, (item) => `v:${JSON.stringify(item)}`, LEAF)
        : undefined;
    case 'items':
      return Array.isArray(value)
        ? listBranches(value, (item) => itemStep(item, shape.keys), shape.element)
        : undefined;
  }
}

/** The branches as a value again: an object's fields, or a list in the order of the branches. */
function rebuilt(branches: ReadonlyMap<string, unknown>, shape: Shape): unknown {
  if (shape.kind === 'set' || shape.kind === 'items') return [...branches.values()];
  return Object.fromEntries([...branches].map(([step, value]) => [step.slice(2), value]));
}

/** Every field of the value: its leaves, and the items of its lists themselves. */
export function fieldsOf(value: unknown, shape: Shape): FieldSet {
  const branches = branchesOf(value, shape);
  if (branches === undefined || branches.size === 0) return MEMBER;
  const entries = [...branches].map(([step, branch]) => {
    const below = fieldsOf(branch.value, branch.shape);
    return [step, step.startsWith('k:') ? { ...below, isMember: true } : below] as const;
  });
  return fieldSet(false, entries);
}

export type Comparison = {
  /** What is new or has another value. */
  readonly changed: FieldSet;
  readonly removed: FieldSet;
};

const NO_CHANGE: Comparison = { changed: EMPTY, removed: EMPTY };

export function compare(old: unknown, value: unknown, shape: Shape): Comparison {
  // Most of an object is as it was: a walk over equal values costs a tenth of one over their branches.
  if (old === value || isDeepStrictEqual(old, value)) return NO_CHANGE;
  const oldBranches = branchesOf(old, shape);
  const branches = branchesOf(value, shape);
  if (oldBranches === undefined || branches === undefined) {
    return { changed: fieldsOf(value, shape), removed: EMPTY };
  }
  const changed: [string, FieldSet][] = [];
  const removed: [string, FieldSet][] = [];
  for (const [step, branch] of branches) {
    const before = oldBranches.get(step);
    const isItem = step.startsWith('k:');
    if (before === undefined) {
      const fields = fieldsOf(branch.value, branch.shape);
      changed.push([step, isItem ? { ...fields, isMember: true } : fields]);
    } else {
      const below = compare(before.value, branch.value, branch.shape);
      changed.push([step, below.changed]);
      removed.push([step, below.removed]);
    }
  }
  for (const [step, branch] of oldBranches) {
    if (!branches.has(step))
      removed.push([step, { ...fieldsOf(branch.value, branch.shape), isMember: true }]);
  }
  return { changed: fieldSet(false, changed), removed: fieldSet(false, removed) };
}

/** Steps of the configuration in its order; those that only the live list has keep their place before what followed them. */
function mergedOrder(live: readonly string[], config: readonly string[]): string[] {
  const rest = live.filter((step) => !config.includes(step));
  const order: string[] = [];
  for (const step of config) {
    const place = live.indexOf(step);
    while (rest[0] !== undefined && place >= 0 && live.indexOf(rest[0]) < place)
      order.push(rest.shift() as string);
    order.push(step);
  }
  return [...order, ...rest];
}

/** The live value with everything the configuration says. */
export function merge(live: unknown, config: unknown, shape: Shape): unknown {
  const liveBranches = branchesOf(live, shape);
  const branches = branchesOf(config, shape);
  if (liveBranches === undefined || branches === undefined) return config;
  const merged = mergedOrder([...liveBranches.keys()], [...branches.keys()]).map((step) => {
    const before = liveBranches.get(step);
    const branch = branches.get(step);
    if (branch === undefined) return [step, before?.value] as const;
    return [
      step,
      before === undefined ? branch.value : merge(before.value, branch.value, branch.shape),
    ] as const;
  });
  return rebuilt(new Map(merged), shape);
}

/** The value without the fields; what `kept` has anything of stays. Undefined when nothing is left of it. */
export function remove(
  value: unknown,
  shape: Shape,
  { gone, kept }: { readonly gone: FieldSet; readonly kept: FieldSet },
): unknown {
  const branches = branchesOf(value, shape);
  if (branches === undefined || gone.below.size === 0) return value;
  const left: [string, unknown][] = [];
  for (const [step, branch] of branches) {
    const goneBelow = gone.below.get(step) ?? EMPTY;
    const keptBelow = kept.below.get(step) ?? EMPTY;
    if (goneBelow.isMember && !keptBelow.isMember && keptBelow.below.size === 0) continue;
    const rest = remove(branch.value, branch.shape, { gone: goneBelow, kept: keptBelow });
    if (rest !== undefined) left.push([step, rest]);
  }
  return left.length === 0 ? undefined : rebuilt(new Map(left), shape);
}

export function unionOf(sets: readonly FieldSet[]): FieldSet {
  return sets.reduce(union, EMPTY);
}
