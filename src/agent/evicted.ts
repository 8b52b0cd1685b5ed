// Whether the node has told the pod to go. Kept in this engine's notes, and in the pod's condition DisruptionTarget, by which
// the next engine knows. Pure.
import type { Pod, PodCondition } from '../kube/api-types.ts';
import { isTerminal } from '../kube/pod.ts';
import { msOf } from './container-instances.ts';
import type { Eviction, Notes } from './observed.ts';

/** kubelet's immediateEvictionGracePeriodSeconds. */
export const IMMEDIATE_GRACE_MS = 1000;

const TERMINATION_BY_KUBELET = 'TerminationByKubelet';

export function evictionOf(pod: Pod, { eviction }: Pick<Notes, 'eviction'>): Eviction | undefined {
  if (eviction !== undefined) return eviction;
  const told = pod.status?.conditions?.find(
    ({ type, status, reason }) =>
      type === 'DisruptionTarget' && status === 'True' && reason === TERMINATION_BY_KUBELET,
  );
  if (told === undefined) return undefined;
  const atMs = msOf(told.lastTransitionTime) ?? 0;
  return {
    reason: 'Evicted',
    atMs,
    graceMs: IMMEDIATE_GRACE_MS,
    message: told.message ?? '',
    isDisruption: true,
  };
}

/** It is over: what it has left on the machine may go at once. */
export function isEvicted(pod: Pod): boolean {
  return isTerminal(pod) && pod.status?.reason === 'Evicted';
}

/** KEP-3329. Absent: there is nothing to tell. */
export function disruptionOf(
  pod: Pod,
  notes: Pick<Notes, 'eviction'>,
): Pick<PodCondition, 'reason' | 'message'> | undefined {
  const eviction = evictionOf(pod, notes);
  return eviction?.isDisruption === true
    ? { reason: TERMINATION_BY_KUBELET, message: eviction.message }
    : undefined;
}
