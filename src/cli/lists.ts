// Lists in the forms of kubectl's -o: a table by default and wide, otherwise the objects themselves.
import { stringify } from 'yaml';
import type { KubeObject, ResourceRef } from '../client/resource-api.ts';
import { table } from './table.ts';

export const OUTPUTS = ['json', 'yaml', 'wide', 'name'] as const;
export type Output = (typeof OUTPUTS)[number];

export type Column<T> = {
  readonly header: string;
  readonly cell: (object: T) => string;
  /** Only with -o wide. */
  readonly wide?: true;
};

export type ListView<T extends KubeObject> = {
  readonly ref: ResourceRef<T>;
  readonly columns: readonly Column<T>[];
  readonly output: Output | undefined;
  /** Shown in place of an empty table. */
  readonly whenEmpty: string;
};

/** Text without its last line break. */
export function listText<T extends KubeObject>(items: readonly T[], view: ListView<T>): string {
  const { ref, output } = view;
  if (output === 'name')
    return items.map(({ metadata }) => `${ref.kind.toLowerCase()}/${metadata?.name}`).join('\n');
  if (output === 'json' || output === 'yaml') {
    const apiVersion = ref.group === '' ? ref.version : `${ref.group}/${ref.version}`;
    const typed = items.map((item) => ({ apiVersion, kind: ref.kind, ...item }));
    const list = { apiVersion: 'v1', kind: 'List', items: typed };
    return output === 'json' ? JSON.stringify(list, null, 2) : stringify(list).trimEnd();
  }
  if (items.length === 0) return view.whenEmpty;
  const columns = view.columns.filter(({ wide }) => wide === undefined || output === 'wide');
  return table(
    columns.map(({ header }) => header),
    items.map((item) => columns.map(({ cell }) => cell(item))),
  );
}
