// What the scheduler's decisions change in the API: bindings, and the deletion of pods that make room. A commit is
// optimistic: another scheduler may have been faster, and then it is refused whole.
import { errorText, isPodwrightError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { ResourceApi } from '../client/resource-api.ts';
import { BINDING_LISTS, BINDINGS, PERSISTENT_VOLUME_CLAIMS, PODS } from '../client/resources.ts';
import type { Binding, PersistentVolumeClaim, Pod } from '../kube/api-types.ts';
import { SELECTED_NODE } from '../kube/storage.ts';
import { DEFAULT_SCHEDULER_NAME } from './profile.ts';
import type { Reports } from './reports.ts';
import { countConflict } from './scheduler-figures.ts';

export type CommitParts = { readonly api: ResourceApi; readonly log: Log; readonly reports: Reports };
export type Placed = { readonly pod: Pod; readonly nodeName: string };

const keyOf = ({ metadata }: Pod) => ({
  namespace: metadata?.namespace ?? 'default',
  name: metadata?.name ?? '',
});
const textOf = (pod: Pod): string => `${keyOf(pod).namespace}/${keyOf(pod).name}`;

async function commit(api: ResourceApi, bindings: readonly Binding[]): Promise<void> {
  const [first, ...others] = bindings;
  if (first === undefined) return;
  if (others.length === 0) {
    await api.create(BINDINGS, first, { subresource: 'binding' });
    return;
  }
  const { namespace } = first.metadata ?? {};
  await api.create(BINDING_LISTS, { kind: 'List', metadata: { namespace }, items: bindings });
}

/** One pod, or a group: all of them or none. Never throws. */
export async function bind(
  { api, log, reports }: CommitParts,
  placed: readonly Placed[],
): Promise<'bound' | 'refused'> {
  try {
    await commit(
      api,
      placed.map(({ pod, nodeName }) => ({
        metadata: { ...keyOf(pod), uid: pod.metadata?.uid },
        target: { apiVersion: 'v1', kind: 'Node', name: nodeName },
      })),
    );
  } catch (error) {
    const pods = placed.map(({ pod }) => textOf(pod)).join(' ');
    log.warn('binding failed', { pods, error: errorText(error) });
    if (isPodwrightError(error, 'Conflict'))
      countConflict(placed[0]?.pod.spec?.schedulerName ?? DEFAULT_SCHEDULER_NAME);
    return 'refused';
  }
  for (const { pod, nodeName } of placed)
    reports.event(pod, 'Normal', 'Scheduled', `Successfully assigned ${textOf(pod)} to ${nodeName}`);
  return 'bound';
}

/** Says of claims that wait for their first consumer where it will be. Never throws: they are looked at again. */
export async function selectNode(
  { api, log }: CommitParts,
  claims: readonly PersistentVolumeClaim[],
  nodeName: string,
): Promise<void> {
  const body = { metadata: { annotations: { [SELECTED_NODE]: nodeName } } };
  const patch = { type: 'application/merge-patch+json', body } as const;
  for (const { metadata } of claims) {
    const key = { namespace: metadata?.namespace, name: metadata?.name ?? '' };
    await api
      .patch(PERSISTENT_VOLUME_CLAIMS, key, patch)
      .catch((error: unknown) =>
        log.warn('node of a claim not written', { ...key, error: errorText(error) }),
      );
  }
}

/** Asks the victims to go, each with its own grace. Never throws: what is left is tried again with the pod. */
export async function preempt(
  { api, log, reports }: CommitParts,
  { pod, nodeName }: Placed,
  victims: readonly Pod[],
): Promise<void> {
  const patch = {
    type: 'application/merge-patch+json',
    body: { status: { nominatedNodeName: nodeName } },
  } as const;
  try {
    await api.patch(PODS, keyOf(pod), patch, { subresource: 'status' });
    for (const victim of victims) {
      if (victim.metadata?.deletionTimestamp !== undefined) continue;
      const { uid } = victim.metadata ?? {};
      reports.event(
        victim,
        'Normal',
        'Preempted',
        `Preempted by pod ${pod.metadata?.uid} on node ${nodeName}`,
      );
      await reports.pod(victim, {
        type: 'DisruptionTarget',
        status: 'True',
        reason: 'PreemptionByScheduler',
        message: `${DEFAULT_SCHEDULER_NAME}: preempting to accommodate a higher priority pod`,
      });
      await api.delete(PODS, keyOf(victim), { preconditions: { uid } });
    }
  } catch (error) {
    log.warn('preemption failed', { pod: textOf(pod), error: errorText(error) });
  }
}
