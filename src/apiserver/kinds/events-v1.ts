// events of events.k8s.io/v1: the same objects as the core group's, under newer names (pkg/apis/events/v1/conversion.go).
import type { KubeObject } from '../../client/resource-api.ts';
import { EVENTS } from '../../client/resources.ts';
import type { Event, EventsV1Event } from '../../kube/api-types.ts';
import { type FieldError, invalid, required } from '../../kube/field-error.ts';
import { defineKind } from '../kind.ts';
import { EVENT_COLUMNS, eventKind, timedEventErrors } from './events.ts';

/** The newer name of each core field that has one. */
const NAMES: { readonly [core: string]: string } = {
  involvedObject: 'regarding',
  message: 'note',
  reportingComponent: 'reportingController',
  source: 'deprecatedSource',
  firstTimestamp: 'deprecatedFirstTimestamp',
  lastTimestamp: 'deprecatedLastTimestamp',
  count: 'deprecatedCount',
};
const CORE_NAMES = Object.fromEntries(Object.entries(NAMES).map(([core, newer]) => [newer, core]));

function renamed(
  object: object,
  names: { readonly [field: string]: string },
  apiVersion: string,
): KubeObject {
  const entries = Object.entries(object).map(([field, value]) => [names[field] ?? field, value]);
  return { ...(Object.fromEntries(entries) as KubeObject), apiVersion };
}

const toCore = (event: EventsV1Event): Event => renamed(event, CORE_NAMES, 'v1') as Event;

/** Selectors name fields of regarding as core/v1 names those of involvedObject. */
const selectableFields = eventKind.selectableFields
  .filter((path) => !path.startsWith('source.'))
  .map((path) => {
    const [field = '', ...rest] = path.split('.');
    return [NAMES[field] ?? field, ...rest].join('.');
  });

const DEPRECATED = ['deprecatedFirstTimestamp', 'deprecatedLastTimestamp', 'deprecatedCount'] as const;

/** Only what this group makes is held to its rules; core/v1's events are shown as they are. */
function validate(event: EventsV1Event): FieldError[] {
  const { eventTime, type, metadata } = event;
  const { namespace = 'default' } = event.regarding ?? {};
  const isOwn = namespace === metadata?.namespace || namespace === '';
  const isNew = eventTime !== undefined || DEPRECATED.every((field) => event[field] === undefined);
  if (!isNew) return [];
  return [
    ...(isOwn ? [] : [invalid('regarding.namespace', namespace, 'does not match event.namespace')]),
    ...(eventTime === undefined ? [required('eventTime')] : []),
    ...timedEventErrors(toCore(event), { controller: 'reportingController', note: 'note' }),
    ...(type === 'Normal' || type === 'Warning'
      ? []
      : [invalid('type', '', `has invalid value: ${type ?? ''}`)]),
    ...DEPRECATED.filter((field) => event[field]).map((field) => invalid(field, '', 'needs to be unset')),
  ];
}

const { objectType: _, ...shared } = eventKind;

export const newEventKind = defineKind<EventsV1Event>({
  ...shared,
  group: 'events.k8s.io',
  schema: 'EventsV1Event',
  selectableFields,
  strategy: { validate },
  columns: EVENT_COLUMNS.map(({ cell, ...column }) => ({
    ...column,
    cell: (event: EventsV1Event, nowMs: number) => cell(toCore(event), nowMs),
  })),
  view: {
    of: EVENTS,
    read: (stored) => renamed(stored, NAMES, 'events.k8s.io/v1') as EventsV1Event,
    write: toCore,
  },
});
