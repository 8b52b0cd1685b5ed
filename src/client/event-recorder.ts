// Writes core/v1 Events about objects, as client-go's recorder does: the same event again within the aggregation time
// raises `count` of the first instead of making another. Losing an event is harmless; failing over one is not allowed.
import { randomBytes } from 'node:crypto';
import { BOUNDS } from '../base/bounds.ts';
import { type Clock, timeText } from '../base/clock.ts';
import { errorText, isPodwrightError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Event, ObjectReference } from '../kube/api-types.ts';
import type { KubeObject, ResourceApi } from './resource-api.ts';
import { EVENTS } from './resources.ts';

export type EventInput = {
  /** What it is about; fieldPath "spec.containers{name}" for one container. */
  readonly regarding: ObjectReference;
  readonly type: 'Normal' | 'Warning';
  /** UpperCamelCase, Kubernetes' own where it has one. */
  readonly reason: string;
  readonly message: string;
};

export type EventRecorder = { record(input: EventInput): void };

type Recorded = { readonly name: string; count: number; readonly firstMs: number };

export type EventRecorderOptions = {
  readonly api: ResourceApi;
  readonly clock: Clock;
  readonly log: Log;
  /** source.component: "kubelet", "default-scheduler". */
  readonly component: string;
  readonly host?: string;
};

export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { api, clock, component, host } = options;
  const recent = new Map<string, Recorded>();
  let last: Promise<void> = Promise.resolve();
  let queued = 0;

  async function write(input: EventInput, nowMs: number): Promise<void> {
    const { regarding } = input;
    const namespace = regarding.namespace ?? 'default';
    const key = JSON.stringify([regarding.uid, regarding.fieldPath, input.type, input.reason, input.message]);
    const known = recent.get(key);
    if (known !== undefined && nowMs - known.firstMs < BOUNDS.eventTtlMs) {
      known.count += 1;
      const body = { count: known.count, lastTimestamp: timeText(nowMs) };
      try {
        await api.patch(
          EVENTS,
          { namespace, name: known.name },
          { type: 'application/merge-patch+json', body },
        );
        return;
      } catch (error) {
        if (!isPodwrightError(error, 'NotFound')) throw error;
      }
    }
    const name = `${regarding.name ?? 'unknown'}.${randomBytes(8).toString('hex')}`;
    const event: Event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace },
      involvedObject: regarding,
      type: input.type,
      reason: input.reason,
      message: input.message,
      source: { component, host },
      firstTimestamp: timeText(nowMs),
      lastTimestamp: timeText(nowMs),
      count: 1,
      reportingComponent: component,
      reportingInstance: host ?? '',
    };
    await api.create(EVENTS, event);
    recent.delete(key);
    recent.set(key, { name, count: 1, firstMs: nowMs });
    const oldest = recent.keys().next();
    if (recent.size > BOUNDS.eventAggregations && oldest.done !== true) recent.delete(oldest.value);
  }

  return {
    record(input) {
      if (queued >= BOUNDS.eventBacklog) return;
      queued += 1;
      const nowMs = clock.nowMs();
      // One after another: the order of events tells a story, and count needs the one before.
      last = last
        .then(() => write(input, nowMs))
        .catch((error: unknown) =>
          options.log.debug('event lost', { reason: input.reason, error: errorText(error) }),
        )
        .finally(() => {
          queued -= 1;
        });
    },
  };
}

/** The ObjectReference of an API object, as events and bindings carry it. */
export function referenceTo(object: KubeObject, kind = 'Pod'): ObjectReference {
  const { name, namespace, uid, resourceVersion } = object.metadata ?? {};
  return {
    apiVersion: object.apiVersion ?? 'v1',
    kind: object.kind ?? kind,
    name,
    namespace,
    uid,
    resourceVersion,
  };
}
