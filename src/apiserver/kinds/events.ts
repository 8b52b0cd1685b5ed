// events (core/v1), with the columns of `kubectl get events`.
import { EVENTS } from '../../client/resources.ts';
import type { Event } from '../../kube/api-types.ts';
import { type FieldError, invalid, required } from '../../kube/field-error.ts';
import { type Column, defineKind } from '../kind.ts';
import { ageOf, nameColumn } from './columns.ts';

/** The rules of an event that has an eventTime, which only newer clients set; `core` names fields as core/v1 does. */
export function timedEventErrors(
  event: Event,
  names: { readonly controller: string; readonly note: string },
): FieldError[] {
  const {
    eventTime,
    reportingComponent,
    reportingInstance = '',
    action = '',
    reason = '',
    message = '',
  } = event;
  if (eventTime === undefined) return [];
  const text = (field: string, value: string | undefined): FieldError[] => {
    if (!value) return [required(field)];
    return value.length > 128 ? [invalid(field, value, 'can have at most 128 characters')] : [];
  };
  return [
    ...(reportingComponent ? [] : [required(names.controller)]),
    ...text('reportingInstance', reportingInstance),
    ...text('action', action),
    ...text('reason', reason),
    ...(message.length > 1024 ? [invalid(names.note, '', 'can have at most 1024 characters')] : []),
  ];
}

function validate(event: Event): FieldError[] {
  const { namespace = 'default' } = event.involvedObject ?? {};
  const isOwn = namespace === event.metadata?.namespace || namespace === '';
  return [
    ...(isOwn ? [] : [invalid('involvedObject.namespace', namespace, 'does not match event.namespace')]),
    ...timedEventErrors(event, { controller: 'reportingComponent', note: 'message' }),
  ];
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

export const EVENT_COLUMNS: readonly Column<Event>[] = [
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
  createsOnUpdate: true,
  strategy: { validate },
  columns: EVENT_COLUMNS,
});
