// Whether a pod has reached its end by itself, and which: the phase it will have once nothing of it runs any more.
// Decided from what is observed, so a restarted engine decides the same.

import type { Container, Pod } from '../kube/api-types.ts';
import { isSidecar, isTerminal } from '../kube/pod.ts';
import { isStarted } from './container-health.ts';
import {
  allContainers,
  appContainers,
  type Instance,
  initContainers,
  isExited,
  isOfFormerRound,
  lastRunOf,
  msOf,
  newestSandbox,
  runsOf,
  wantedSandboxAttempt,
} from './container-instances.ts';
import { evictionOf } from './evicted.ts';
import type { Observed } from './observed.ts';
import { shouldRestart } from './restart-rules.ts';

export type Outcome = {
  readonly phase: 'Succeeded' | 'Failed';
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
};

/** Undefined: the pod is to be kept running. @param observed as recollect() completed it. */
export function outcomeOf(pod: Pod, observed: Observed, nowMs: number): Outcome | undefined {
  if (isTerminal(pod)) {
    const { phase, reason, message } = pod.status ?? {};
    return { phase: phase === 'Succeeded' ? 'Succeeded' : 'Failed', reason, message };
  }
  const eviction = evictionOf(pod, observed.notes);
  if (eviction !== undefined) {
    const { reason, message } = eviction;
    return { phase: 'Failed', reason, message };
  }
  const ended = endOfApps(pod, observed);
  const deadline = deadlineMs(pod) ?? Number.POSITIVE_INFINITY;
  if (nowMs >= deadline && !(ended !== undefined && ended.atMs < deadline)) {
    return {
      phase: 'Failed',
      reason: 'DeadlineExceeded',
      message: 'Pod was active on the node longer than the specified deadline',
    };
  }
  if (ended !== undefined) return { phase: finalPhase(pod, observed) };
  const hasFailed =
    initContainers(pod).some((container) => hasInitFailed(pod, container, observed)) ||
    hasLostSandboxForGood(pod, observed);
  return hasFailed ? { phase: 'Failed' } : undefined;
}

/** activeDeadlineSeconds counts from status.startTime. */
export function deadlineMs(pod: Pod): number | undefined {
  const startMs = msOf(pod.status?.startTime);
  const seconds = pod.spec?.activeDeadlineSeconds;
  return seconds === undefined || startMs === undefined ? undefined : startMs + seconds * 1000;
}

/** The phase of a pod that was ended from outside: what counts is how its app containers ended. */
export function finalPhase(pod: Pod, observed: Observed): Outcome['phase'] {
  const ok = appContainers(pod).every((container) => {
    const last = lastRunOf(observed, container.name);
    return last !== undefined && isExited(last) && last.state.exitCode === 0;
  });
  return ok ? 'Succeeded' : 'Failed';
}

/** When the last app container ended for good; undefined while one runs, or will. */
function endOfApps(pod: Pod, observed: Observed): { readonly atMs: number } | undefined {
  let atMs = 0;
  for (const container of appContainers(pod)) {
    const last = lastRunOf(observed, container.name);
    if (last === undefined || !isExited(last) || isOfFormerRound(last, observed)) return undefined;
    if (shouldRestart(pod, container, last)) return undefined;
    atMs = Math.max(atMs, last.state.finishedAtMs);
  }
  return { atMs };
}

function hasInitFailed(pod: Pod, container: Container, observed: Observed): boolean {
  if (isSidecar(container) || isPassed(pod, container, observed)) return false;
  const last = lastRunOf(observed, container.name);
  if (last === undefined || isOfFormerRound(last, observed)) return false;
  return isExited(last) && last.state.exitCode !== 0 && !shouldRestart(pod, container, last);
}

/** Under restartPolicy Never a pod that has run anything gets no second sandbox (kubelet's podSandboxChanged). */
function hasLostSandboxForGood(pod: Pod, observed: Observed): boolean {
  if (pod.spec?.restartPolicy !== 'Never') return false;
  const sandbox = newestSandbox(observed);
  const isLost = sandbox === undefined || sandbox.state.kind === 'notReady';
  return isLost && allContainers(pod).some((container) => lastRunOf(observed, container.name) !== undefined);
}

/**
 * An init container has been passed in this sandbox when it succeeded there, or when a later container has run there:
 * then it must have succeeded (a sidecar: started), whatever became of its instance, and of its image, since.
 */
export function isPassed(pod: Pod, container: Container, observed: Observed): boolean {
  const attempt = wantedSandboxAttempt(observed);
  const isHere = (instance: Instance): boolean =>
    instance.sandboxAttempt === attempt && !isOfFormerRound(instance, observed);
  const order = allContainers(pod);
  const hasLaterRunHere = order
    .slice(order.indexOf(container) + 1)
    .some((later) => runsOf(observed, later.name).some(isHere));
  if (hasLaterRunHere) return true;
  const last = lastRunOf(observed, container.name);
  if (isSidecar(container) || last === undefined || !isHere(last)) return false;
  return isExited(last) && last.state.exitCode === 0;
}

/** Whether the containers after this init container may start: it is done, or, as a sidecar, has started. */
export function letsOthersStart(pod: Pod, container: Container, observed: Observed): boolean {
  if (isPassed(pod, container, observed)) return true;
  const last = lastRunOf(observed, container.name);
  const isHere = last?.sandboxAttempt === wantedSandboxAttempt(observed) && !isOfFormerRound(last, observed);
  return isSidecar(container) && isHere && isStarted({ pod, container }, last, observed);
}
