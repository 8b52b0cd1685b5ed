// events (core/v1), with the columns of `kubectl get events`.
import { EVENTS } from '../../client/resources.ts';
import type { Event } from '../../kube/api-types.ts';
import { type FieldError, invalid } from '../../kube/field-error.ts';
import { type Column, defineKind } from '../kind.ts';
import { ageOf, nameColumn } from './columns.ts';

function validate(event: Event): FieldError[] {
  const { namespace = 'default' } = event.involvedObject ?? {};
  if (namespace === event.metadata?.namespace || namespace === '') return [];
  return [invalid('involvedObject.namespace', namespace, 'does not match event.namespace')];
}

function lastSeen(event: Event, nowMs: number): string {
  return ageOf(event.series?.lastObservedTime ?? event.lastTimestamp ?? event.eventTime, nowMs);
}

function firstSeen(event: Event, nowMs: number): string {
  return ageOf(event.firstTimestamp ?? event.eventTime, nowMs);
}

function source({ source: from, reportingComponent, reportingInstance }: Event): string {
  const component = from?.component || reportingComponent || '';
  const host = from?.host || reportingInstance || '';
  return host === '' ? component : `${component}, ${host}`;
}

const columns: readonly Column<Event>[] = [
  { name: 'Last Seen', type: 'string', cell: lastSeen },
  { name: 'Type', type: 'string', cell: ({ type }) => type ?? '' },
  { name: 'Reason', type: 'string', cell: ({ reason }) => reason ?? '' },
  {
    name: 'Object',
    type: 'string',
    cell: ({ involvedObject: about }) => `${(about?.kind ?? '').toLowerCase()}/${about?.name ?? ''}`,
  },
  {
    name: 'Subobject',
    type: 'string',
    priority: 1,
    cell: ({ involvedObject: about }) => about?.fieldPath ?? '',
  },
  { name: 'Source', type: 'string', priority: 1, cell: source },
  { name: 'Message', type: 'string', cell: ({ message }) => (message ?? '').trim() },
  { name: 'First Seen', type: 'string', priority: 1, cell: firstSeen },
  {
    name: 'Count',
    type: 'string',
    priority: 1,
    cell: ({ series, count }) => String(series?.count ?? count ?? 1),
  },
  { ...nameColumn(), priority: 1 },
];

export const eventKind = defineKind<Event>({
  ...EVENTS,
  singular: 'event',
  shortNames: ['ev'],
  categories: [],
  subresources: [],
  schema: 'Event',
  nameRule: 'subdomain',
  selectableFields: [
    'involvedObject.kind',
    'involvedObject.namespace',
    'involvedObject.name',
    'involvedObject.uid',
    'involvedObject.apiVersion',
    'involvedObject.resourceVersion',
    'involvedObject.fieldPath',
    'reason',
    'reportingComponent',
    'source.component',
    'type',
  ],
  hasGeneration: false,
  strategy: { validate },
  columns,
});
