// The main part of a pod's life: bring it up and keep it up. Sandbox, volumes and images side by side; then init
// containers strictly in order, sidecars staying (KEP-753); then all app containers side by side. The same walk over
// the spec does start, restart and image change.
import type { Container, Pod } from '../kube/api-types.ts';
import { isSidecar } from '../kube/pod.ts';
import type { Action, Plan } from './action.ts';
import {
  allContainers,
  appContainers,
  createdInstance,
  definitionHash,
  HASH_ANNOTATION,
  initContainers,
  isDefinitionChanged,
  isRunning,
  lastRunOf,
  newestSandbox,
  STREAK_ANNOTATION,
  wantedSandboxAttempt,
} from './container-instances.ts';
import { type Next, nextInstance } from './next-instance.ts';
import type { Observed } from './observed.ts';
import { letsOthersStart } from './outcome.ts';
import { graceMs } from './plan-stop.ts';
import { planTidy } from './plan-tidy.ts';

/** @param observed as recollect() completed it. */
export function planStart(pod: Pod, observed: Observed, nowMs: number): Plan {
  const waits: number[] = [];
  const actions: Action[] = [
    ...prepareSandbox(observed),
    ...prepareVolumes(pod, observed),
    ...prepareImages(pod, observed, nowMs),
    ...planTidy(pod, observed),
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
