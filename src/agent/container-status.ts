// The status of one container as the kubelet reports it, from its instances and the problems of its next one. Pure.

import { timeText } from '../base/clock.ts';
import type { Container, ContainerState, ContainerStatus, Pod } from '../kube/api-types.ts';
import { isSidecar } from '../kube/pod.ts';
import { createKey, pullKey } from './action.ts';
import { goDuration, restartDelayMs } from './backoff.ts';
import { isPostStartDone, isReady, isStarted } from './container-health.ts';
import {
  type Exited,
  initContainers,
  isExited,
  isRunning,
  type Running,
  runsOf,
  statusesOf,
  streakOf,
} from './container-instances.ts';
import { nextInstance } from './next-instance.ts';
import { hookKey, type Observed, type Step } from './observed.ts';
import { refusalOf, resizeOf } from './resize.ts';

export type StatusContext = {
  readonly pod: Pod;
  /** As recollect() completed it. */
  readonly observed: Observed;
  readonly nowMs: number;
  /** ending: nothing is started any more; ended: and nothing runs any more. */
  readonly life: 'kept' | 'ending' | 'ended';
};

/** @param isInTurn whether everything that must come before it is done. */
export function containerStatus(
  container: Container,
  context: StatusContext,
  { isInTurn }: { readonly isInTurn: boolean },
): ContainerStatus {
  const { pod, observed } = context;
  const runs = runsOf(observed, container.name);
  const last = runs.at(-1);
  const isOneShot = initContainers(pod).includes(container) && !isSidecar(container);
  const state =
    last === undefined ? neverRanState(container, context, isInTurn) : stateOf(container, last, context);
  // lastState is the last end before what `state` shows.
  const before = last !== undefined && isExited(last) && state.waiting !== undefined ? last : runs.at(-2);
  const isDone = isOneShot && last !== undefined && isExited(last) && last.state.exitCode === 0;
  return {
    name: container.name,
    image: last?.image ?? container.image ?? '',
    imageID: last?.imageId ?? '',
    ...(last === undefined ? {} : { containerID: containerIdText(observed, last) }),
    state,
    lastState: before !== undefined && isExited(before) ? { terminated: terminatedOf(observed, before) } : {},
    restartCount: last?.attempt ?? 0,
    ready: isOneShot ? isDone : isReady({ pod, container }, last, observed),
    started: !isOneShot && isStarted({ pod, container }, last, observed),
    ...resourcesOf(container, last, context),
  };
}

/** What it was given (allocatedResources) and what it has (resources): until a resize is done, what was told before. */
function resourcesOf(
  container: Container,
  last: Running | Exited | undefined,
  { pod, observed }: StatusContext,
): Pick<ContainerStatus, 'resources' | 'allocatedResources'> {
  const isResizing = last !== undefined && isRunning(last) && resizeOf(container, last) !== 'none';
  const told = isResizing ? statusesOf(pod.status).find(({ name }) => name === container.name) : undefined;
  const isRefused = isResizing && refusalOf(pod, observed) !== undefined;
  const resources = told?.resources ?? container.resources;
  const allocated = isRefused ? told?.allocatedResources : container.resources?.requests;
  return {
    ...(resources === undefined ? {} : { resources }),
    ...(allocated === undefined ? {} : { allocatedResources: allocated }),
  };
}

const containerIdText = (observed: Observed, instance: Running | Exited): string =>
  `${observed.notes.node.runtime}://${instance.id}`;

type BackOff = { readonly pod: Pod; readonly observed: Observed; readonly nextAtMs: number };

/** Before the time in a back-off's message: what the kubelet does not tell. */
export const NEXT_RESTART = 'next restart at ';

function stateOf(container: Container, last: Running | Exited, context: StatusContext): ContainerState {
  const { observed, pod } = context;
  if (isRunning(last)) {
    return isPostStartDone({ pod, container }, last, observed)
      ? { running: { startedAt: timeText(last.state.startedAtMs) } }
      : { waiting: { reason: startingReason(pod) } };
  }
  const next = context.life === 'kept' ? nextInstance(pod, container, observed) : undefined;
  if (next === undefined) return { terminated: terminatedOf(observed, last) };
  const problem = problemOf(container, context, next.attempt);
  if (problem !== undefined) return { waiting: problem };
  if (next.atMs <= context.nowMs) return { terminated: terminatedOf(observed, last) };
  return { waiting: backOffOf(container, last, { pod, observed, nextAtMs: next.atMs }) };
}

/** The first failures to start tell why; a container that keeps failing is in CrashLoopBackOff like any other. */
function backOffOf(
  container: Container,
  last: Exited,
  { pod, observed, nextAtMs }: BackOff,
): { reason: string; message: string } {
  const streak = streakOf(container, last);
  if (last.state.reason === 'StartError' && streak <= 1) {
    return { reason: 'RunContainerError', message: last.state.message };
  }
  const hook = observed.notes.hooks.get(hookKey('postStart', last.id));
  if (hook?.result === 'failed' && streak <= 1) {
    return { reason: 'PostStartHookError', message: 'PostStartHook failed' };
  }
  const { name, namespace, uid } = pod.metadata ?? {};
  const wait = goDuration(restartDelayMs(streak, observed.notes.node.restartPeriodMsMax));
  const what = `container=${container.name} pod=${name}_${namespace}(${uid})`;
  const message = `back-off ${wait} restarting failed ${what}, ${NEXT_RESTART}${timeText(nextAtMs)}`;
  return { reason: 'CrashLoopBackOff', message };
}

function neverRanState(container: Container, context: StatusContext, isInTurn: boolean): ContainerState {
  if (context.life === 'ended') {
    return {
      terminated: {
        exitCode: 137,
        reason: 'ContainerStatusUnknown',
        message: 'The container could not be located when the pod was terminated',
      },
    };
  }
  const problem = isInTurn ? problemOf(container, context, 0) : undefined;
  if (problem !== undefined) return { waiting: problem };
  return { waiting: { reason: startingReason(context.pod) } };
}

function startingReason(pod: Pod): string {
  return initContainers(pod).length > 0 ? 'PodInitializing' : 'ContainerCreating';
}

/** What keeps the next instance from being made: its image or its creation. */
function problemOf(
  container: Container,
  { observed }: StatusContext,
  attempt: number,
): { reason: string; message: string } | undefined {
  const { steps, sourcesVersion = '' } = observed.notes;
  const image = container.image ?? '';
  const pull = steps.get(pullKey(container.name, attempt, image));
  if (pull?.problem !== undefined) return pullProblem(pull, image);
  return steps.get(createKey(container.name, attempt, sourcesVersion))?.problem;
}

/** The first failure shows as itself; from the second on the wait is the news. */
function pullProblem(
  { problem, times }: Step,
  image: string,
): { reason: string; message: string } | undefined {
  if (problem === undefined || problem.reason !== 'ErrImagePull' || times < 2) return problem;
  return {
    reason: 'ImagePullBackOff',
    message: `Back-off pulling image "${image}": ErrImagePull: ${problem.message}`,
  };
}

function terminatedOf(observed: Observed, instance: Exited): NonNullable<ContainerState['terminated']> {
  const { exitCode, reason, message, startedAtMs, finishedAtMs } = instance.state;
  return {
    exitCode,
    reason,
    ...(message === '' ? {} : { message }),
    startedAt: timeText(startedAtMs ?? 0),
    finishedAt: timeText(finishedAtMs),
    containerID: containerIdText(observed, instance),
  };
}
