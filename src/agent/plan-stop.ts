// How a pod ends: gracefully and in order. App containers first, all at once; then the sidecars, one by one, last
// started first (KEP-753); when the grace is over, everything that is left. All preStop hooks begin at once, and a sidecar
// that crashes while the app containers end is restarted (KEP-4438). Waiting is never done here: it is a wakeAtMs.
import type { Container, Pod } from '../kube/api-types.ts';
import { isSidecar, isTerminal } from '../kube/pod.ts';
import type { Action, Plan } from './action.ts';
import {
  allContainers,
  initContainers,
  isRunning,
  msOf,
  type Running,
  statusesOf,
} from './container-instances.ts';
import { evictionOf, isEvicted } from './evicted.ts';
import { joinPlans } from './hold-back.ts';
import type { Observed } from './observed.ts';
import { planRemoval } from './plan-removal.ts';
import { graceMs } from './plan-running.ts';
import { planSidecars } from './plan-start.ts';
import { killAtMs, planStopOf, stopBegunAtMs } from './stop-instance.ts';

/** Deletion was asked for. Ends with the removal of the API object, after the machine holds nothing any more. */
export function planTermination(pod: Pod, observed: Observed, nowMs: number): Plan {
  const time = { nowMs, deadlineMs: deletionDeadlineMs(pod) };
  const stop = planStop(pod, observed, time);
  if (stop !== undefined) return joinPlans([stop, planHelpers(pod, observed, time)]);
  // The status tells how the containers ended: it must be in the API before they are forgotten here.
  if (!isFinalStatusWritten(pod)) return { actions: [] };
  const removal = planRemoval(observed);
  return removal.actions.length > 0 ? removal : { actions: [{ kind: 'deletePod' }] };
}

/** The pod came to its end by itself: what still runs (sidecars) stops; the remains stay readable until deletion. */
export function planCompletion(pod: Pod, observed: Observed, nowMs: number): Plan {
  const begun = observed.containers.filter(isRunning).map((one) => stopBegunAtMs(one, observed) ?? nowMs);
  const eviction = evictionOf(pod, observed.notes);
  const deadlineMs =
    eviction === undefined ? Math.min(...begun) + graceMs(pod) : eviction.atMs + eviction.graceMs;
  const stop = planStop(pod, observed, { nowMs, deadlineMs });
  if (stop !== undefined) return stop;
  if (!isFinalStatusWritten(pod)) return { actions: [] };
  // What an evicted pod has left would go on filling the disk.
  if (isEvicted(pod)) return planRemoval(observed);
  return { actions: observed.notes.isDiskShort === true ? removeDead(observed) : [] };
}

/** The kubelet's DeleteAllUnusedContainers: the status has told how they ended. */
function removeDead({ containers }: Observed): readonly Action[] {
  return containers
    .filter((one) => !isRunning(one))
    .map(({ name, id }) => ({ kind: 'removeContainer', container: name, id }));
}

/** metadata.deletionTimestamp is when the grace ends, cut off to whole seconds: the cut is given back. */
function deletionDeadlineMs(pod: Pod): number {
  const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata ?? {};
  return deletionGracePeriodSeconds === 0 ? AT_ONCE : (msOf(deletionTimestamp) ?? 0) + 1000;
}

/** The deadline of a deletion without grace: not even the two seconds after a signal. */
const AT_ONCE = 0;

type StopTime = { readonly nowMs: number; readonly deadlineMs: number };

/** Undefined: nothing runs and no sandbox is up. */
function planStop(pod: Pod, observed: Observed, { nowMs, deadlineMs }: StopTime): Plan | undefined {
  const running = observed.containers.filter(isRunning);
  const isKilledNow = (one: Running): boolean =>
    deadlineMs === AT_ONCE || nowMs >= (killAtMs(one, deadlineMs) ?? Number.POSITIVE_INFINITY);
  if (running.every(isKilledNow)) return endSandboxes(observed, running);
  const inTurn = nextToStop(pod, running);
  return joinPlans(
    running.map((one) => {
      const container = allContainers(pod).find(({ name }) => name === one.name);
      const why = `Stopping container ${one.name}`;
      const wish = { container, deadlineMs, isInTurn: inTurn.includes(one), why };
      return planStopOf(one, wish, { observed, nowMs });
    }),
  );
}

/** Ends whatever still runs, at once. */
function endSandboxes(observed: Observed, running: readonly Running[]): Plan | undefined {
  const up = observed.sandboxes.filter(
    ({ attempt, state }) => state.kind === 'ready' || running.some((one) => one.sandboxAttempt === attempt),
  );
  if (up.length === 0) return undefined;
  return {
    actions: up.map(({ attempt }): Action => {
      const kills = running.filter(
        (one) => one.sandboxAttempt === attempt && stopBegunAtMs(one, observed) === undefined,
      );
      return { kind: 'stopSandbox', attempt, kills: kills.map((one) => one.name) };
    }),
  };
}

/** Everything that is no sidecar; after that the sidecar that started last. */
function nextToStop(pod: Pod, running: readonly Running[]): readonly Running[] {
  const sidecars = initContainers(pod).filter(isSidecar);
  const others = running.filter((one) => !sidecars.some(({ name }) => name === one.name));
  if (others.length > 0) return others;
  const order = (one: Running): number =>
    sidecars.findIndex((sidecar: Container) => sidecar.name === one.name);
  return [...running].sort((a, b) => order(b) - order(a)).slice(0, 1);
}

/** The sidecars that the app or init containers may still need while they end. */
function planHelpers(pod: Pod, observed: Observed, { nowMs, deadlineMs }: StopTime): Plan {
  const sidecars = initContainers(pod).filter(isSidecar);
  const isHelper = (name: string): boolean => sidecars.some((one) => one.name === name);
  const isNeeded = observed.containers.some((one) => isRunning(one) && !isHelper(one.name));
  return isNeeded && nowMs < deadlineMs ? planSidecars(pod, observed, nowMs) : { actions: [] };
}

function isFinalStatusWritten(pod: Pod): boolean {
  return isTerminal(pod) && statusesOf(pod.status).every((status) => status.state?.running === undefined);
}
