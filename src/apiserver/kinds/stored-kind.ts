// Kinds that are stored and served faithfully, with the schema's own rules: an entry says what is particular about one.
import type { KubeObject } from '../../client/resource-api.ts';
import type { FieldError } from '../../kube/field-error.ts';
import { requiredFields, unchangedFields } from '../../kube/validation/structure.ts';
import { type Column, defineKind, type Kind, type ScaleSource } from '../kind.ts';
import { ageColumn, nameColumn } from './columns.ts';

export type StoredKind<T> = {
  /** "apps"; "" is core. */
  readonly group: string;
  /** Absent: v1. */
  readonly version?: string;
  readonly kind: string;
  readonly plural: string;
  readonly scope: 'Namespaced' | 'Cluster';
  /** Absent: a DNS subdomain. */
  readonly nameRule?: 'pathSegment';
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly scale?: ScaleSource;
  /** The status subresource; with it generation counts changes of the spec. */
  readonly status?: true;
  readonly selectableFields?: readonly string[];
  /** Between name and age. */
  readonly columns: readonly Column<T>[];
  /** Absent: the age. */
  readonly lastColumns?: readonly Column<T>[];
  readonly defaults?: (object: T) => T;
  readonly validate?: (object: T) => readonly FieldError[];
  readonly orphansDependents?: true;
  readonly createsOnUpdate?: true;
  /** Paths that never change. */
  readonly immutable?: readonly string[];
  /** What a user must know who makes one. */
  readonly warning?: string;
  /** The same, where it depends on the object. */
  readonly warnings?: (object: T) => readonly string[];
};

export function storedKind<T extends KubeObject>(entry: StoredKind<T>): Kind {
  const { group, kind, plural, scope, status, immutable = [], warning, warnings, validate, defaults } = entry;
  return defineKind<T>({
    group,
    version: entry.version ?? 'v1',
    kind,
    plural,
    namespaced: scope === 'Namespaced',
    singular: kind.toLowerCase(),
    shortNames: entry.shortNames ?? [],
    categories: entry.categories ?? [],
    subresources: [
      ...(status === true ? (['status'] as const) : []),
      ...(entry.scale ? (['scale'] as const) : []),
    ],
    schema: kind,
    nameRule: entry.nameRule ?? 'subdomain',
    selectableFields: entry.selectableFields ?? [],
    hasGeneration: status === true,
    createsOnUpdate: entry.createsOnUpdate,
    scale: entry.scale,
    strategy: {
      // What lacks a required field is refused; the entry's own rules may rely on them.
      ...(defaults === undefined
        ? {}
        : { defaults: (object) => (requiredFields(kind, object).length > 0 ? object : defaults(object)) }),
      validate: (object) => {
        const missing = requiredFields(kind, object);
        return missing.length > 0 ? missing : (validate?.(object) ?? []);
      },
      validateUpdate: (object, old) => unchangedFields(immutable, object, old),
      orphansDependents: entry.orphansDependents,
      warnings: (object) => [...(warning === undefined ? [] : [warning]), ...(warnings?.(object) ?? [])],
    },
    columns: [nameColumn<T>(), ...entry.columns, ...(entry.lastColumns ?? [ageColumn<T>()])],
  });
}

export const text = <T>(name: string, cell: (object: T) => string): Column<T> => ({
  name,
  type: 'string',
  cell,
});
export const number = <T>(name: string, cell: (object: T) => number | undefined): Column<T> => ({
  name,
  type: 'integer',
  cell: (object) => cell(object) ?? 0,
});
export const wide = <T>(column: Column<T>): Column<T> => ({ ...column, priority: 1 });
export const createdAt = <T extends KubeObject>(): Column<T> =>
  text('Created At', ({ metadata }) => metadata?.creationTimestamp ?? '');

/** "a=b,c=d": as kubectl prints labels to select by. */
export function selectorText(labels: { readonly [key: string]: string } | undefined): string {
  const pairs = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`);
  return pairs.length === 0 ? '<none>' : pairs.sort().join(',');
}
