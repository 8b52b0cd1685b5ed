// Columns that many kinds share.
import type { KubeObject } from '../../client/resource-api.ts';
import { ageText } from '../../kube/age.ts';
import type { Column } from '../kind.ts';

export function nameColumn<T extends KubeObject>(): Column<T> {
  return { name: 'Name', type: 'string', cell: ({ metadata }) => metadata?.name ?? '' };
}

/** How long ago, as kubectl prints it; "<unknown>" where there is no time. */
export function ageOf(time: string | undefined, nowMs: number): string {
  return time === undefined ? '<unknown>' : ageText(nowMs - Date.parse(time));
}

export function ageColumn<T extends KubeObject>(): Column<T> {
  return {
    name: 'Age',
    type: 'string',
    cell: ({ metadata }, nowMs) => ageOf(metadata?.creationTimestamp, nowMs),
  };
}
