// Watches a known set of pods and their warnings by uid, whatever namespace they are in, and tells the newest state of
// each. It prints nothing and decides nothing.
import type { Log } from '../base/log.ts';
import { runInformer } from '../client/informer.ts';
import type { ResourceApi } from '../client/resource-api.ts';
import { EVENTS, PODS } from '../client/resources.ts';
import type { Event, Pod } from '../kube/api-types.ts';

/** Warnings that the pod's status tells as well, and better. */
const TOLD_BY_STATUS: readonly (string | undefined)[] = ['Failed', 'BackOff', 'FailedScheduling'];

export type PodHandlers = {
  onPod(pod: Pod): void;
  onGone(pod: Pod): void;
  /** A Warning about one of the pods that is newer than sinceMs and says more than the pod's status. */
  onWarning(pod: Pod, event: Event): void;
};

export type FollowOptions = {
  readonly api: ResourceApi;
  readonly pods: readonly Pod[];
  readonly sinceMs: number;
  readonly handlers: PodHandlers;
  readonly log: Log;
};

/** Resolves when the signal aborts. */
export async function followPods(
  { api, pods, sinceMs, handlers, log }: FollowOptions,
  signal: AbortSignal,
): Promise<void> {
  const byUid = new Map(pods.map((pod) => [pod.metadata?.uid, pod]));
  const present = new Set<string | undefined>();
  const followPod = (pod: Pod): void => {
    if (!byUid.has(pod.metadata?.uid)) return;
    present.add(pod.metadata?.uid);
    handlers.onPod(pod);
  };
  const followEvent = (event: Event): void => {
    const pod = byUid.get(event.involvedObject.uid);
    const seenAtMs = Date.parse(event.lastTimestamp ?? event.metadata.creationTimestamp ?? '');
    if (pod === undefined || event.type !== 'Warning' || seenAtMs < sinceMs) return;
    if (!TOLD_BY_STATUS.includes(event.reason)) handlers.onWarning(pod, event);
  };
  const goneBeforeWeLooked = (namespace: string | undefined): void => {
    for (const pod of pods) {
      if (pod.metadata?.namespace === namespace && !present.has(pod.metadata?.uid)) handlers.onGone(pod);
    }
  };
  const namespaces = new Set(pods.map(({ metadata }) => metadata?.namespace));
  await Promise.all(
    [...namespaces].flatMap((namespace) => [
      runInformer(
        {
          api,
          ref: PODS,
          select: { namespace },
          log,
          handlers: {
            onObject: followPod,
            onDelete: (pod) => byUid.has(pod.metadata?.uid) && handlers.onGone(pod),
            onSynced: () => goneBeforeWeLooked(namespace),
          },
        },
        signal,
      ),
      runInformer(
        {
          api,
          ref: EVENTS,
          select: { namespace },
          log,
          handlers: { onObject: followEvent, onDelete: () => {} },
        },
        signal,
      ),
    ]),
  );
}
