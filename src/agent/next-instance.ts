// Whether and when a container gets its next instance. Pure; the one rule behind first start, restart, image change and
// a replaced sandbox, shared by the plan and the status.

import type { Container, Pod } from '../kube/api-types.ts';
import { isSidecar } from '../kube/pod.ts';
import { restartOf } from './backoff.ts';
import {
  allContainers,
  type Instance,
  initContainers,
  isExited,
  isOfFormerRound,
  isRunning,
  lastRunOf,
  type Running,
  streakOf,
  wantedSandboxAttempt,
} from './container-instances.ts';
import type { Observed } from './observed.ts';
import { isPassed } from './outcome.ts';
import { shouldRestart } from './restart-rules.ts';

/** The next instance of a container: made at atMs, not before. */
export type Next = { readonly attempt: number; readonly streak: number; readonly atMs: number };

/** Undefined: the container runs, or has done its part. */
export function nextInstance(pod: Pod, container: Container, observed: Observed): Next | undefined {
  const last = lastRunOf(observed, container.name);
  if (last === undefined) return { attempt: 0, streak: 0, atMs: 0 };
  if (!allContainers(pod).includes(container)) return undefined;
  if (isOfFormerRound(last, observed)) return anew(last, container, observed);
  if (isRunning(last)) return isOrphan(last, observed) ? followUp(last, container, observed) : undefined;
  const isInit = initContainers(pod).includes(container);
  if (isInit && !isSidecar(container)) {
    if (isPassed(pod, container, observed)) return undefined;
    // A new sandbox runs its init containers again, whatever they did in the last.
    if (last.sandboxAttempt !== wantedSandboxAttempt(observed)) return followUp(last, container, observed);
  }
  return shouldRestart(pod, container, last) ? followUp(last, container, observed) : undefined;
}

/** It runs in a dead sandbox: creating the new one ends it. */
function isOrphan(instance: Running, observed: Observed): boolean {
  return instance.sandboxAttempt !== wantedSandboxAttempt(observed);
}

/** In a new round only the container that began it keeps its back-off, so that the pod cannot spin. */
function anew(last: Instance, container: Container, observed: Observed): Next {
  if (last === observed.round?.trigger) return followUp(last, container, observed);
  return { attempt: last.attempt + 1, streak: 0, atMs: 0 };
}

function followUp(last: Instance, container: Container, observed: Observed): Next {
  const attempt = last.attempt + 1;
  if (!isExited(last)) return { attempt, streak: streakOf(container, last) + 1, atMs: 0 };
  return {
    attempt,
    ...restartOf(last.state, streakOf(container, last), observed.notes.node.restartPeriodMsMax),
  };
}
