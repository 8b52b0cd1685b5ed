// Who owns which fields of an object: metadata.managedFields, and how a write changes it. An update takes what it changed
// from everybody; an apply owns exactly what its configuration says, and meets a conflict where it would change what
// another manager owns. https://kubernetes.io/docs/reference/using-api/server-side-apply/
import { BOUNDS } from '../../base/bounds.ts';
import { timeText } from '../../base/clock.ts';
import { PodwrightError } from '../../base/errors.ts';
import type { ManagedFieldsEntry } from '../api-types.ts';
import {
  difference,
  EMPTY,
  type FieldSet,
  fromFieldsV1,
  intersection,
  isEmpty,
  isEqual,
  pathTexts,
  toFieldsV1,
  union,
  without,
} from './field-set.ts';
import { compare, fieldsOf, merge, remove, type Shape, unionOf } from './typed-value.ts';

/** What the server alone writes belongs to nobody. */
const UNMANAGED: readonly (readonly string[])[] = [
  ['f:apiVersion'],
  ['f:kind'],
  ...[
    'name',
    'namespace',
    'generateName',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
    'selfLink',
    'uid',
    'generation',
    'managedFields',
    'resourceVersion',
  ].map((field) => ['f:metadata', `f:${field}`]),
];

export type Writer = {
  readonly manager: string;
  readonly apiVersion: string;
  readonly subresource?: string | undefined;
  /** Steps at the object's root that this way of writing does not change: f:status beside the status subresource. */
  readonly untouched: readonly string[];
  readonly nowMs: number;
};

type Owner = {
  readonly entry: ManagedFieldsEntry;
  readonly fields: FieldSet;
  /** What the entry itself says: where the fields are still these, it need not be written anew. */
  readonly read?: FieldSet;
};

function managed(set: FieldSet, untouched: readonly string[]): FieldSet {
  const paths = [...UNMANAGED, ...untouched.map((step) => [step])];
  return paths.reduce(without, set);
}

function ownersOf(entries: readonly ManagedFieldsEntry[] | undefined): Owner[] {
  return (entries ?? []).map((entry) => {
    const fields = fromFieldsV1(entry.fieldsV1);
    return { entry, fields, read: fields };
  });
}

function isSame(entry: ManagedFieldsEntry, operation: string, writer: Writer): boolean {
  return (
    entry.manager === writer.manager &&
    entry.operation === operation &&
    entry.apiVersion === writer.apiVersion &&
    (entry.subresource ?? '') === (writer.subresource ?? '')
  );
}

/** Many one-time writers must not make an object grow for ever: the oldest share one entry. */
function bounded(owners: readonly Owner[]): readonly Owner[] {
  const updates = owners.filter(({ entry }) => entry.operation === 'Update');
  const excess = updates.length - BOUNDS.updateManagers;
  if (excess <= 0) return owners;
  const oldest = updates.toSorted((a, b) => byText(a.entry.time, b.entry.time)).slice(0, excess + 1);
  const entry = { ...oldest.at(-1)?.entry, manager: 'ancient-changes', subresource: undefined };
  const fields = unionOf(oldest.map((one) => one.fields));
  return [...owners.filter((one) => !oldest.includes(one)), { entry, fields }];
}

const byText = (a = '', b = ''): number => (a < b ? -1 : a > b ? 1 : 0);

function byOrder({ entry: a }: Owner, { entry: b }: Owner): number {
  return byText(a.operation, b.operation) || byText(a.time, b.time) || byText(a.manager, b.manager);
}

function entriesOf(owners: readonly Owner[]): ManagedFieldsEntry[] {
  const present = bounded(owners.filter(({ fields }) => !isEmpty(fields)));
  return present
    .toSorted(byOrder)
    .map(({ entry, fields, read }) =>
      fields === read ? entry : { ...entry, fieldsType: 'FieldsV1', fieldsV1: toFieldsV1(fields) },
    );
}

/** The writer's own entry with new fields; its time tells when they last changed. */
function owning(
  operation: 'Apply' | 'Update',
  writer: Writer,
  before: Owner | undefined,
  fields: FieldSet,
): Owner {
  if (before !== undefined && isEqual(before.fields, fields)) return before;
  const { manager, apiVersion, subresource, nowMs } = writer;
  const own = { manager, operation, apiVersion, time: timeText(nowMs) };
  return { entry: { ...own, ...(subresource === undefined ? {} : { subresource }) }, fields };
}

export type Change = { readonly old: unknown; readonly value: unknown; readonly shape: Shape };

/** The entries after an ordinary write. */
export function afterUpdate(
  entries: readonly ManagedFieldsEntry[] | undefined,
  { old, value, shape }: Change,
  writer: Writer,
): ManagedFieldsEntry[] {
  const { changed, removed } = compare(old ?? {}, value, shape);
  const gained = managed(changed, writer.untouched);
  const lost = managed(union(changed, removed), writer.untouched);
  const owners = ownersOf(entries);
  const before = owners.find(({ entry }) => isSame(entry, 'Update', writer));
  const others = owners
    .filter((owner) => owner !== before)
    .map((owner) => ({ ...owner, fields: difference(owner.fields, lost) }));
  const own = union(difference(before?.fields ?? EMPTY, removed), gained);
  return entriesOf([...others, owning('Update', writer, before, own)]);
}

function managerText({ manager, subresource, apiVersion, operation, time }: ManagedFieldsEntry): string {
  const way = subresource ? ` with subresource ${JSON.stringify(subresource)}` : '';
  const at = operation === 'Update' && time ? ` at ${time}` : '';
  return `${JSON.stringify(manager)}${way} using ${apiVersion}${at}`;
}

function conflictError(conflicts: readonly Owner[]): PodwrightError {
  const causes = conflicts.flatMap(({ entry, fields }) =>
    pathTexts(fields).map((field) => ({
      reason: 'FieldManagerConflict',
      message: `conflict with ${managerText(entry)}`,
      field,
    })),
  );
  const plural = causes.length === 1 ? 'conflict' : 'conflicts';
  const texts = conflicts.map(({ entry, fields }) => {
    const paths = pathTexts(fields);
    if (paths.length === 1) return `conflict with ${managerText(entry)}: ${paths[0]}`;
    return `conflicts with ${managerText(entry)}:\n${paths.map((path) => `- ${path}`).join('\n')}`;
  });
  const message = `Apply failed with ${causes.length} ${plural}: ${texts.join('\n')}`;
  return new PodwrightError('Conflict', message, { details: { causes } });
}

export type Applied = { readonly value: unknown; readonly entries: ManagedFieldsEntry[] };

/**
 * The object after an apply of `config` on `live` (undefined: it is made).
 * @throws Conflict unless forced, with one cause a field.
 */
export function applyConfiguration(
  live: { readonly value: unknown; readonly entries: readonly ManagedFieldsEntry[] | undefined },
  { config, shape, force }: { readonly config: unknown; readonly shape: Shape; readonly force: boolean },
  writer: Writer,
): Applied {
  const owners = ownersOf(live.entries);
  const before = owners.find(({ entry }) => isSame(entry, 'Apply', writer));
  const others = owners.filter((owner) => owner !== before);
  const fields = managed(fieldsOf(config, shape), writer.untouched);
  const merged = merge(live.value, config, shape);
  const gone = difference(before?.fields ?? EMPTY, fields);
  const kept = unionOf(others.map((owner) => owner.fields));
  const value = remove(merged, shape, { gone: difference(gone, kept), kept: union(kept, fields) }) ?? {};
  const { changed } = compare(live.value, value, shape);
  const conflicts = others
    .map(({ entry, fields: theirs }) => ({
      entry,
      fields: intersection(theirs, intersection(changed, fields)),
    }))
    .filter((owner) => !isEmpty(owner.fields));
  if (conflicts.length > 0 && !force) throw conflictError(conflicts);
  const yielded = others.map((owner) => ({
    ...owner,
    fields: difference(owner.fields, intersection(changed, fields)),
  }));
  return { value, entries: entriesOf([...yielded, owning('Apply', writer, before, fields)]) };
}
