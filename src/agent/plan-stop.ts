// How a pod ends: gracefully and in order. App containers first, all at once; then the sidecars, one by one, last
// started first (KEP-753); when the grace is over, everything at once. Waiting is never done here: it is a wakeAtMs.
import type { Container, Pod } from '../kube/api-types.ts';
import { isSidecar, isTerminal } from '../kube/pod.ts';
import type { Action, Plan } from './action.ts';
import { initContainers, isRunning, msOf, type Running } from './container-instances.ts';
import type { Observed } from './observed.ts';
import { planRemoval } from './plan-removal.ts';

/** Deletion was asked for. Ends with the removal of the API object, after the machine holds nothing any more. */
export function planTermination(pod: Pod, observed: Observed, nowMs: number): Plan {
  const stop = planStop(pod, observed, { nowMs, deadlineMs: deletionDeadlineMs(pod) });
  if (stop !== undefined) return stop;
  // The status tells how the containers ended: it must be in the API before they are forgotten here.
  if (!isFinalStatusWritten(pod)) return { actions: [] };
  const removal = planRemoval(observed);
  return removal.actions.length > 0 ? removal : { actions: [{ kind: 'deletePod' }] };
}

/** The pod came to its end by itself: what still runs (sidecars) stops; the remains stay readable until deletion. */
export function planCompletion(pod: Pod, observed: Observed, nowMs: number): Plan {
  const signalled = observed.containers
    .filter(isRunning)
    .map((one) => one.stopSignalledAtMs ?? Number.POSITIVE_INFINITY);
  const deadlineMs = Math.min(...signalled) + graceMs(pod);
  return planStop(pod, observed, { nowMs, deadlineMs }) ?? { actions: [] };
}

export const graceMs = (pod: Pod): number => (pod.spec?.terminationGracePeriodSeconds ?? 30) * 1000;

/** metadata.deletionTimestamp is when the grace ends, cut off to whole seconds: the cut is given back. */
function deletionDeadlineMs(pod: Pod): number {
  const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata ?? {};
  return deletionGracePeriodSeconds === 0 ? 0 : (msOf(deletionTimestamp) ?? 0) + 1000;
}

type StopTime = { readonly nowMs: number; readonly deadlineMs: number };

/** Undefined: nothing runs and no sandbox is up. */
function planStop(pod: Pod, observed: Observed, { nowMs, deadlineMs }: StopTime): Plan | undefined {
  const running = observed.containers.filter(isRunning);
  const isOver = running.length === 0 || nowMs >= deadlineMs;
  if (!isOver) {
    const actions = nextToStop(pod, running)
      .filter((one) => one.stopSignalledAtMs === undefined)
      .map(stopGracefully);
    return Number.isFinite(deadlineMs) ? { actions, wakeAtMs: deadlineMs } : { actions };
  }
  const up = observed.sandboxes.filter(
    ({ attempt, state }) => state.kind === 'ready' || running.some((one) => one.sandboxAttempt === attempt),
  );
  if (up.length === 0) return undefined;
  return {
    actions: up.map(({ attempt }): Action => {
      const kills = running.filter(
        (one) => one.sandboxAttempt === attempt && one.stopSignalledAtMs === undefined,
      );
      return { kind: 'stopSandbox', attempt, kills: kills.map((one) => one.name) };
    }),
  };
}

/** Everything that is no sidecar; after that the sidecar that started last. */
function nextToStop(pod: Pod, running: readonly Running[]): readonly Running[] {
  const sidecars = initContainers(pod).filter(isSidecar);
  const isOfSidecar = (one: Running): boolean => sidecars.some((sidecar) => sidecar.name === one.name);
  const others = running.filter((one) => !isOfSidecar(one));
  if (others.length > 0) return others;
  const order = (one: Running): number =>
    sidecars.findIndex((sidecar: Container) => sidecar.name === one.name);
  return [...running].sort((a, b) => order(b) - order(a)).slice(0, 1);
}

function stopGracefully(instance: Running): Action {
  return {
    kind: 'signalContainer',
    container: instance.name,
    id: instance.id,
    signal: 'SIGTERM',
    why: `Stopping container ${instance.name}`,
  };
}

function isFinalStatusWritten(pod: Pod): boolean {
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  return isTerminal(pod) && statuses.every((status) => status.state?.running === undefined);
}
