// Sets of field paths, as server-side apply keeps them for each manager, and their written form FieldsV1: a trie whose
// steps are "f:<field>", "k:<keys as JSON>" for an item of a list, "v:<JSON>" for a value of a set, and "." for the place
// itself. https://kubernetes.io/docs/reference/using-api/server-side-apply/ Pure data: no set is changed in place.
import { isJsonObject } from '../decode.ts';

export type FieldSet = {
  /** The place itself is in the set, not only places below it. */
  readonly isMember: boolean;
  readonly below: ReadonlyMap<string, FieldSet>;
};

export const EMPTY: FieldSet = { isMember: false, below: new Map() };
export const MEMBER: FieldSet = { isMember: true, below: new Map() };

export function isEmpty(set: FieldSet): boolean {
  return !set.isMember && set.below.size === 0;
}

export function fieldSet(isMember: boolean, entries: Iterable<readonly [string, FieldSet]>): FieldSet {
  const below = new Map([...entries].filter(([, set]) => !isEmpty(set)));
  return { isMember, below };
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(a)) return b;
  if (isEmpty(b)) return a;
  const steps = new Set([...a.below.keys(), ...b.below.keys()]);
  return fieldSet(
    a.isMember || b.isMember,
    [...steps].map((step) => [step, union(a.below.get(step) ?? EMPTY, b.below.get(step) ?? EMPTY)]),
  );
}

/** The set itself where nothing of it goes. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(a) || isEmpty(b)) return a;
  const isMember = a.isMember && !b.isMember;
  let isSame = isMember === a.isMember;
  const left = [...a.below].map(([step, set]) => {
    const below = b.below.get(step);
    const rest = below === undefined ? set : difference(set, below);
    isSame &&= rest === set;
    return [step, rest] as const;
  });
  return isSame ? a : fieldSet(isMember, left);
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  return fieldSet(
    a.isMember && b.isMember,
    [...a.below].map(([step, set]) => [step, intersection(set, b.below.get(step) ?? EMPTY)]),
  );
}

/** Without the place at the path and everything below it. */
export function without(set: FieldSet, [step, ...rest]: readonly string[]): FieldSet {
  if (step === undefined) return EMPTY;
  if (!set.below.has(step)) return set;
  const entries = [...set.below].map(
    ([name, below]) => [name, name === step ? without(below, rest) : below] as const,
  );
  return fieldSet(set.isMember, entries);
}

export function isEqual(a: FieldSet, b: FieldSet): boolean {
  if (a.isMember !== b.isMember || a.below.size !== b.below.size) return false;
  return [...a.below].every(([step, set]) => isEqual(set, b.below.get(step) ?? EMPTY));
}

type FieldsV1 = { readonly [step: string]: FieldsV1 };

/** Steps are sorted, so that equal sets are written alike. */
export function toFieldsV1(set: FieldSet): FieldsV1 {
  const steps = [...set.below.keys()].sort();
  const entries = steps.map((step) => [step, toFieldsV1(set.below.get(step) ?? EMPTY)] as const);
  return Object.fromEntries(set.isMember && entries.length > 0 ? [['.', {}] as const, ...entries] : entries);
}

/** What is not of this form is nothing. */
export function fromFieldsV1(json: unknown): FieldSet {
  return { ...fromStep(json), isMember: false };
}

function fromStep(json: unknown): FieldSet {
  if (!isJsonObject(json)) return EMPTY;
  const entries = Object.entries(json).filter(([step]) => step !== '.');
  const isMember = Object.hasOwn(json, '.') || entries.length === 0;
  return fieldSet(
    isMember,
    entries.map(([step, below]) => [step, fromStep(below)]),
  );
}

function stepText(step: string): string {
  const text = step.slice(2);
  if (step.startsWith('f:')) return `.${text}`;
  if (step.startsWith('v:')) return `[=${text}]`;
  const keys = Object.entries(JSON.parse(text) as object);
  return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`;
}

/** Every member as Kubernetes writes paths: .spec.containers[name="a"].image */
export function pathTexts(set: FieldSet, prefix = ''): string[] {
  const own = set.isMember ? [prefix] : [];
  return [...own, ...[...set.below].flatMap(([step, below]) => pathTexts(below, prefix + stepText(step)))];
}
