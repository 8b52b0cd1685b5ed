// podwright events: what happened, oldest first, as `kubectl events`.
import { EVENTS } from '../client/resources.ts';
import { ageText } from '../kube/age.ts';
import type { Event } from '../kube/api-types.ts';
import { type Cli, type ExitCode, print } from './cli.ts';
import { type Column, listText, type Output } from './lists.ts';

export type EventsOptions = {
  readonly namespace: string | undefined;
  /** Only of this pod. */
  readonly pod?: string | undefined;
  readonly output?: Output | undefined;
};

/** When it was last seen; a newer kind of event has eventTime alone. */
function seenAtMs({ series, lastTimestamp, eventTime, metadata }: Event): number {
  return (
    Date.parse(series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? metadata?.creationTimestamp ?? '') ||
    0
  );
}

/** Most times have whole seconds; what was written first happened first. */
const byTime = (a: Event, b: Event): number =>
  seenAtMs(a) - seenAtMs(b) || Number(a.metadata.resourceVersion) - Number(b.metadata.resourceVersion);

function columns(namespace: string | undefined, nowMs: number): readonly Column<Event>[] {
  const namespaceColumn: Column<Event> = {
    header: 'NAMESPACE',
    cell: ({ metadata }) => metadata?.namespace ?? '',
  };
  const countText = ({ count = 1 }: Event): string => (count > 1 ? ` (x${count})` : '');
  return [
    ...(namespace === undefined ? [namespaceColumn] : []),
    { header: 'LAST SEEN', cell: (event) => ageText(nowMs - seenAtMs(event)) + countText(event) },
    { header: 'TYPE', cell: ({ type }) => type ?? '' },
    { header: 'REASON', cell: ({ reason }) => reason ?? '' },
    {
      header: 'OBJECT',
      cell: ({ involvedObject: { kind = '', name = '' } }) => `${kind.toLowerCase()}/${name}`,
    },
    { header: 'MESSAGE', cell: ({ message }) => (message ?? '').replaceAll(/\s+/g, ' ') },
  ];
}

export async function events(cli: Cli, options: EventsOptions): Promise<ExitCode> {
  const { namespace, pod, output } = options;
  const { api } = await cli.connect();
  const { items } = await api.list(EVENTS, { namespace });
  const wanted = items.filter(
    ({ involvedObject: { kind, name } }) => pod === undefined || (kind === 'Pod' && name === pod),
  );
  const sorted = wanted.sort(byTime);
  const whenEmpty =
    namespace === undefined ? 'No events found.' : `No events found in namespace ${namespace}.`;
  print(cli, listText(sorted, { ref: EVENTS, columns: columns(namespace, Date.now()), output, whenEmpty }));
  return 0;
}
