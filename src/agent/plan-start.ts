// The main part of a pod's life: bring it up and keep it up. Sandbox, volumes and images side by side; then init
// containers strictly in order, sidecars staying (KEP-753); then all app containers side by side. The same walk over
// the spec does start, restart and image change.

import { BOUNDS } from '../base/bounds.ts';
import type { Container, Pod } from '../kube/api-types.ts';
import { isSidecar } from '../kube/pod.ts';
import type { Action, Plan } from './action.ts';
import { restartOf } from './backoff.ts';
import {
  allContainers,
  appContainers,
  definitionHash,
  HASH_ANNOTATION,
  type Instance,
  initContainers,
  isDefinitionChanged,
  isExited,
  isRunning,
  LOST_SANDBOX,
  lastRunOf,
  newestSandbox,
  type Running,
  runsOf,
  STREAK_ANNOTATION,
  shouldRestart,
  streakOf,
  wantedSandboxAttempt,
} from './container-instances.ts';
import type { Observed } from './observed.ts';
import { isPassed, letsOthersStart } from './outcome.ts';
import { graceMs } from './plan-stop.ts';

/** The next instance of a container: made at atMs, not before. */
export type Next = { readonly attempt: number; readonly streak: number; readonly atMs: number };

/** @param observed as recollect() completed it. */
export function planStart(pod: Pod, observed: Observed, nowMs: number): Plan {
  const waits: number[] = [];
  const actions: Action[] = [
    ...prepareSandbox(observed),
    ...prepareVolumes(pod, observed),
    ...prepareImages(pod, observed, nowMs),
    ...tidy(pod, observed),
  ];
  for (const container of allContainers(pod)) {
    const change = replaceChanged(pod, container, { observed, nowMs });
    actions.push(...change.actions);
    if (change.wakeAtMs !== undefined) waits.push(change.wakeAtMs);
  }
  for (const container of containersInTurn(pod, observed)) {
    const next = nextInstance(pod, container, observed);
    if (next === undefined) continue;
    if (next.atMs > nowMs) waits.push(next.atMs);
    else actions.push(...bringUp(pod, container, { observed, next }));
  }
  return waits.length === 0 ? { actions } : { actions, wakeAtMs: Math.min(...waits) };
}

function prepareSandbox(observed: Observed): readonly Action[] {
  const newest = newestSandbox(observed);
  if (newest?.state.kind === 'ready') return [];
  if (newest?.state.kind === 'incomplete') return [{ kind: 'removeSandbox', attempt: newest.attempt }];
  const replaces = observed.sandboxes.map((sandbox) => sandbox.attempt);
  return [{ kind: 'createSandbox', attempt: wantedSandboxAttempt(observed), replaces }];
}

function prepareVolumes(pod: Pod, observed: Observed): readonly Action[] {
  const { sourcesVersion, volumesVersion } = observed.notes;
  if (sourcesVersion === undefined) return [{ kind: 'loadSources' }];
  if ((pod.spec?.volumes ?? []).length === 0 || volumesVersion === sourcesVersion) return [];
  return [{ kind: 'setUpVolumes', version: sourcesVersion }];
}

/** Pulls for everything that is due, not only for what is in turn: an image takes longest. */
function prepareImages(pod: Pod, observed: Observed, nowMs: number): readonly Action[] {
  return allContainers(pod).flatMap((container): Action[] => {
    const next = nextInstance(pod, container, observed);
    if (next === undefined || next.atMs > nowMs) return [];
    const { image = '' } = container;
    if (imageIdFor(container, next, observed) !== undefined || createdInstance(container, observed))
      return [];
    return [{ kind: 'pullImage', container: container.name, attempt: next.attempt, image }];
  });
}

function imageIdFor(container: Container, next: Next, observed: Observed): string | undefined {
  const ready = observed.notes.images.get(container.name);
  return ready?.reference === container.image && ready?.attempt === next.attempt ? ready.imageId : undefined;
}

/** The container's instance that was made and never started, if it still is what the spec asks for. */
function createdInstance(container: Container, observed: Observed): Instance | undefined {
  return observed.containers.find(
    (one) =>
      one.name === container.name && one.state.kind === 'created' && isUsable(container, one, observed),
  );
}

function isUsable(container: Container, instance: Instance, observed: Observed): boolean {
  const sandbox = newestSandbox(observed);
  const isInSandbox = sandbox?.state.kind === 'ready' && sandbox.attempt === instance.sandboxAttempt;
  return isInSandbox && instance.state.kind === 'created' && !isDefinitionChanged(container, instance);
}

/** A running container whose definition changed is stopped, alone; it restarts when it has exited. */
function replaceChanged(
  pod: Pod,
  container: Container,
  { observed, nowMs }: { readonly observed: Observed; readonly nowMs: number },
): Plan {
  const last = lastRunOf(observed, container.name);
  const isOneShot = initContainers(pod).includes(container) && !isSidecar(container);
  if (last === undefined || !isRunning(last) || isOneShot || !isDefinitionChanged(container, last))
    return { actions: [] };
  const signal = (name: 'SIGTERM' | 'SIGKILL'): Action => ({
    kind: 'signalContainer',
    container: container.name,
    id: last.id,
    signal: name,
    why: `Container ${container.name} definition changed, will be restarted`,
  });
  if (last.stopSignalledAtMs === undefined) return { actions: [signal('SIGTERM')] };
  const killAtMs = last.stopSignalledAtMs + graceMs(pod);
  return nowMs >= killAtMs ? { actions: [signal('SIGKILL')] } : { actions: [], wakeAtMs: killAtMs };
}

/** The containers whose turn it is: up to the first one the others must wait for. */
function containersInTurn(pod: Pod, observed: Observed): readonly Container[] {
  const inTurn: Container[] = [];
  for (const container of initContainers(pod)) {
    inTurn.push(container);
    if (!letsOthersStart(pod, container, observed)) return inTurn;
  }
  return [...inTurn, ...appContainers(pod)];
}

/** Undefined: the container runs, or has done its part. */
export function nextInstance(pod: Pod, container: Container, observed: Observed): Next | undefined {
  const last = lastRunOf(observed, container.name);
  if (last === undefined) return { attempt: 0, streak: 0, atMs: 0 };
  if (isRunning(last)) return isOrphan(last, observed) ? followUp(last, container) : undefined;
  const isInit = initContainers(pod).includes(container);
  if (isInit && !isSidecar(container)) {
    if (isPassed(pod, container, observed)) return undefined;
    // A new sandbox runs its init containers again, whatever they did in the last.
    if (last.sandboxAttempt !== wantedSandboxAttempt(observed)) return followUp(last, container);
  }
  return shouldRestart(pod, container, last) ? followUp(last, container) : undefined;
}

/** It runs in a dead sandbox: creating the new one ends it. */
function isOrphan(instance: Running, observed: Observed): boolean {
  return instance.sandboxAttempt !== wantedSandboxAttempt(observed);
}

function followUp(last: Instance, container: Container): Next {
  const attempt = last.attempt + 1;
  if (!isExited(last)) return { attempt, streak: streakOf(container, last) + 1, atMs: 0 };
  return { attempt, ...restartOf(last.state, streakOf(container, last)) };
}

function bringUp(
  pod: Pod,
  container: Container,
  { observed, next }: { readonly observed: Observed; readonly next: Next },
): readonly Action[] {
  const created = createdInstance(container, observed);
  if (created !== undefined) return [{ kind: 'startContainer', container: container.name, id: created.id }];
  const sandbox = newestSandbox(observed);
  const imageId = imageIdFor(container, next, observed);
  const isBlocked = observed.containers.some(
    (one) => one.name === container.name && one.state.kind !== 'exited',
  );
  if (sandbox?.state.kind !== 'ready' || imageId === undefined || isBlocked) return [];
  const version = observed.notes.sourcesVersion;
  if (version === undefined || prepareVolumes(pod, observed).length > 0) return [];
  return [
    {
      kind: 'createContainer',
      container: container.name,
      attempt: next.attempt,
      sandboxAttempt: sandbox.attempt,
      imageId,
      annotations: { [HASH_ANNOTATION]: definitionHash(container), [STREAK_ANNOTATION]: String(next.streak) },
      version,
    },
  ];
}

/** Removes half-made instances and dead ones beyond the bound, ends and removes what old sandboxes still hold. */
function tidy(pod: Pod, observed: Observed): readonly Action[] {
  const kept = keptInstances(pod, observed);
  const onMachine = observed.containers.filter((one) => one.sandboxAttempt !== LOST_SANDBOX);
  const removals = onMachine
    .filter((one) => !kept.has(one) && !isRunning(one))
    .map((one): Action => ({ kind: 'removeContainer', container: one.name, id: one.id }));
  const newest = newestSandbox(observed);
  if (newest?.state.kind !== 'ready') return removals;
  const old = observed.sandboxes
    .filter((sandbox) => sandbox !== newest)
    .flatMap(({ attempt }): Action[] => {
      const inIt = onMachine.filter((one) => one.sandboxAttempt === attempt);
      if (inIt.length === 0) return [{ kind: 'removeSandbox', attempt }];
      return inIt.some(isRunning) ? [{ kind: 'stopSandbox', attempt, kills: [] }] : [];
    });
  return [...removals, ...old];
}

/** The last instances that ran, for the status and `kubectl logs --previous`, and those that can still be started. */
function keptInstances(pod: Pod, observed: Observed): ReadonlySet<Instance> {
  return new Set(
    allContainers(pod).flatMap((container) => [
      ...runsOf(observed, container.name).slice(-1 - BOUNDS.deadInstancesPerContainer),
      ...observed.containers.filter(
        (one) => one.name === container.name && isUsable(container, one, observed),
      ),
    ]),
  );
}
