// The main part of a pod's life: bring it up and keep it up. Sandbox, volumes and images side by side; then init
// containers strictly in order, sidecars staying (KEP-753); then all app containers side by side. The same walk over
// the spec does start, restart and image change.
import { BOUNDS } from '../base/bounds.ts';
import type { Container, Pod } from '../kube/api-types.ts';
import { isSidecar } from '../kube/pod.ts';
import type { Action, Plan } from './action.ts';
import {
  allContainers,
  appContainers,
  createdInstance,
  definitionHash,
  ephemeralContainers,
  everyContainer,
  HASH_ANNOTATION,
  initContainers,
  lastRunOf,
  newestSandbox,
  STOP_SIGNAL_ANNOTATION,
  STREAK_ANNOTATION,
  wantedSandboxAttempt,
} from './container-instances.ts';
import { joinPlans } from './hold-back.ts';
import { type Next, nextInstance } from './next-instance.ts';
import { hookKey, type Observed } from './observed.ts';
import { letsOthersStart } from './outcome.ts';
import { planRunning } from './plan-running.ts';
import { planTidy } from './plan-tidy.ts';
import { isPodResizing, refusalOf } from './resize.ts';
import { isRoundEnding } from './restart-rules.ts';

/** @param observed as recollect() completed it. */
export function planStart(pod: Pod, observed: Observed, nowMs: number): Plan {
  const actions: Action[] = [
    ...prepareSandbox(observed),
    ...prepareVolumes(pod, observed),
    ...prepareImages(pod, everyContainer(pod), { observed, nowMs }),
    ...planTidy(pod, observed),
  ];
  return joinPlans([
    { actions },
    planPodResize(pod, observed, nowMs),
    ...allContainers(pod).map((container) => planRunning(pod, container, { observed, nowMs })),
    ...[...containersInTurn(pod, observed), ...ephemeralContainers(pod)].map((container) =>
      planNext(pod, container, { observed, nowMs }),
    ),
  ]);
}

function planPodResize(pod: Pod, observed: Observed, nowMs: number): Plan {
  const sandbox = newestSandbox(observed);
  if (sandbox === undefined || !isPodResizing(pod, observed)) return { actions: [] };
  if (refusalOf(pod, observed) !== undefined) return { actions: [], wakeAtMs: nowMs + BOUNDS.resizeRetryMs };
  return { actions: [{ kind: 'resizePod', attempt: sandbox.attempt }] };
}

/**
 * The part of it that goes on while the pod terminates: sidecars that have run stay up for the app containers (KEP-4438),
 * but for those whose preStop hook has told them to end.
 */
export function planSidecars(pod: Pod, observed: Observed, nowMs: number): Plan {
  const sandbox = newestSandbox(observed);
  if (sandbox?.state.kind !== 'ready') return { actions: [] };
  const kept = initContainers(pod).filter((container) => {
    const last = lastRunOf(observed, container.name);
    if (!isSidecar(container) || last?.sandboxAttempt !== sandbox.attempt) return false;
    return observed.notes.hooks.get(hookKey('preStop', last.id)) === undefined;
  });
  return joinPlans([
    { actions: prepareImages(pod, kept, { observed, nowMs }) },
    ...kept.map((container) => planRunning(pod, container, { observed, nowMs })),
    ...kept.map((container) => planNext(pod, container, { observed, nowMs })),
  ]);
}

type Now = { readonly observed: Observed; readonly nowMs: number };

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
function prepareImages(
  pod: Pod,
  containers: readonly Container[],
  { observed, nowMs }: Now,
): readonly Action[] {
  return containers.flatMap((container): Action[] => {
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

/** The containers whose turn it is: up to the first one the others must wait for. */
function containersInTurn(pod: Pod, observed: Observed): readonly Container[] {
  if (isRoundEnding(observed)) return [];
  const inTurn: Container[] = [];
  for (const container of initContainers(pod)) {
    inTurn.push(container);
    if (!letsOthersStart(pod, container, observed)) return inTurn;
  }
  return [...inTurn, ...appContainers(pod)];
}

function planNext(pod: Pod, container: Container, { observed, nowMs }: Now): Plan {
  const next = nextInstance(pod, container, observed);
  if (next === undefined) return { actions: [] };
  if (next.atMs > nowMs) return { actions: [], wakeAtMs: next.atMs };
  return { actions: bringUp(pod, container, { observed, next }) };
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
      annotations: annotationsOf(container, { observed, next }),
      version,
    },
  ];
}

/** What a later engine must know of the instance. */
function annotationsOf(
  container: Container,
  { observed, next }: { readonly observed: Observed; readonly next: Next },
): Readonly<Record<string, string>> {
  const stopSignal = container.lifecycle?.stopSignal ?? observed.notes.images.get(container.name)?.stopSignal;
  return {
    [HASH_ANNOTATION]: definitionHash(container),
    [STREAK_ANNOTATION]: String(next.streak),
    ...(stopSignal === undefined || stopSignal === '' ? {} : { [STOP_SIGNAL_ANNOTATION]: stopSignal }),
  };
}
