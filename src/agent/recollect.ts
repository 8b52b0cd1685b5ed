// What the machine has forgotten of a pod and the API still knows: after a reboot only the status tells that a container
// ran. Pure.
import { containerId } from '../base/brand.ts';
import type { ContainerStatus, Pod } from '../kube/api-types.ts';
import type { ExitedState } from './backoff.ts';
import { hasRun, type Instance, msOf, statusesOf } from './container-instances.ts';
import type { Observed } from './observed.ts';
import { roundOf } from './restart-rules.ts';

/**
 * Adds the instances only the API remembers: after a reboot the machine has forgotten them, and what ran once under
 * restartPolicy Never must not run again. One that was running then is an exit nobody saw.
 */
export function recollect(pod: Pod, observed: Observed): Observed {
  const statuses = statusesOf(pod.status);
  const lost = statuses.filter(
    (status) =>
      status.containerID !== undefined &&
      !observed.containers.some(
        (one) => one.name === status.name && hasRun(one) && one.attempt >= status.restartCount,
      ),
  );
  if (lost.length === 0) return withRound(pod, observed);
  const containers = [...observed.containers, ...lost.map(lostInstance)].sort(
    (a, b) => a.name.localeCompare(b.name) || a.attempt - b.attempt,
  );
  return withRound(pod, { ...observed, containers });
}

function withRound(pod: Pod, observed: Observed): Observed {
  const round = roundOf(pod, observed);
  return round === undefined ? observed : { ...observed, round };
}

/** In no sandbox the machine knows. */
export const LOST_SANDBOX = -1;

function lostInstance(status: ContainerStatus): Instance {
  const startedAtMs = msOf(status.state?.running?.startedAt) ?? 0;
  const terminated = status.state?.terminated ?? status.lastState?.terminated;
  const state: ExitedState =
    terminated === undefined || status.state?.running !== undefined
      ? {
          kind: 'exited',
          startedAtMs,
          finishedAtMs: startedAtMs,
          exitCode: 137,
          reason: 'ContainerStatusUnknown',
          message: 'The container could not be located when the pod was checked',
        }
      : {
          kind: 'exited',
          startedAtMs: msOf(terminated.startedAt),
          finishedAtMs: msOf(terminated.finishedAt) ?? 0,
          exitCode: terminated.exitCode,
          reason: (terminated.reason as ExitedState['reason'] | undefined) ?? 'ContainerStatusUnknown',
          message: terminated.message ?? '',
        };
  return {
    id: containerId((status.containerID ?? '').replace(/^.*:\/\//, '')),
    name: status.name,
    attempt: status.restartCount,
    sandboxAttempt: LOST_SANDBOX,
    image: status.image,
    imageId: status.imageID,
    createdAtMs: startedAtMs,
    state,
    annotations: {},
  };
}
