// What planPod may ask for: one discriminated union, and for each action its key (what exactly), what must not happen
// meanwhile, and how fast it may be repeated.
import { BOUNDS } from '../base/bounds.ts';
import type { ContainerId } from '../base/brand.ts';
import type { PodStatus } from '../kube/api-types.ts';
import { doublingBackoffMs } from './backoff.ts';
import { type Hook, hookKey } from './observed.ts';

export type Action =
  /** Reads the ConfigMaps and Secrets the pod refers to, and follows them from then on. */
  | { readonly kind: 'loadSources' }
  | { readonly kind: 'setUpVolumes'; readonly version: string }
  | {
      readonly kind: 'pullImage';
      readonly container: string;
      readonly attempt: number;
      readonly image: string;
    }
  /** Stops the dead sandboxes it replaces first: they may still hold host ports. */
  | { readonly kind: 'createSandbox'; readonly attempt: number; readonly replaces: readonly number[] }
  | { readonly kind: 'stopSandbox'; readonly attempt: number; readonly kills: readonly string[] }
  | { readonly kind: 'removeSandbox'; readonly attempt: number }
  | {
      readonly kind: 'createContainer';
      readonly container: string;
      readonly attempt: number;
      readonly sandboxAttempt: number;
      readonly imageId: string;
      readonly annotations: Readonly<Record<string, string>>;
      readonly version: string;
    }
  | { readonly kind: 'startContainer'; readonly container: string; readonly id: ContainerId }
  | {
      readonly kind: 'signalContainer';
      readonly container: string;
      readonly id: ContainerId;
      readonly signal: string;
      /** Message of the Killing event, where this is the first step of the stop. */
      readonly why?: string | undefined;
    }
  | {
      readonly kind: 'runHook';
      readonly hook: Hook;
      readonly container: string;
      readonly id: ContainerId;
      /** Message of the Killing event, for a preStop hook. */
      readonly why?: string | undefined;
    }
  | { readonly kind: 'resizePod'; readonly attempt: number }
  | { readonly kind: 'resizeContainer'; readonly container: string; readonly id: ContainerId }
  | {
      readonly kind: 'removeContainer';
      readonly container: string;
      readonly id: ContainerId;
    }
  /** A merge patch of the status subresource, which then is `status`. */
  | { readonly kind: 'patchStatus'; readonly patch: unknown; readonly status: PodStatus }
  | { readonly kind: 'removePod' }
  /** The API object, once nothing of the pod is left on the machine. */
  | { readonly kind: 'deletePod' };

export type Plan = {
  /** Independent of one another: they may run side by side, in any order. */
  readonly actions: readonly Action[];
  /** When to plan again even if nothing happens. */
  readonly wakeAtMs?: number | undefined;
};

/** Names exactly what is to be done: the same key again means the same thing again. */
export function actionKey(action: Action): string {
  switch (action.kind) {
    case 'setUpVolumes':
      return `setUpVolumes ${action.version}`;
    case 'pullImage':
      return pullKey(action.container, action.attempt, action.image);
    case 'createSandbox':
    case 'stopSandbox':
    case 'removeSandbox':
    case 'resizePod':
      return `${action.kind} ${action.attempt}`;
    case 'createContainer':
      return createKey(action.container, action.attempt, action.version);
    case 'startContainer':
    case 'resizeContainer':
    case 'removeContainer':
      return `${action.kind} ${action.id}`;
    case 'signalContainer':
      return `${action.kind} ${action.id} ${action.signal}`;
    case 'runHook':
      return hookKey(action.hook, action.id);
    case 'patchStatus':
      return `patchStatus ${JSON.stringify(action.patch)}`;
    case 'loadSources':
    case 'removePod':
    case 'deletePod':
      return action.kind;
  }
}

export const pullKey = (container: string, attempt: number, image: string): string =>
  `pullImage ${container} ${attempt} ${image}`;

/** With the sources' version: a ConfigMap that appears lets a failed creation be tried at once. */
export const createKey = (container: string, attempt: number, version: string): string =>
  `createContainer ${container} ${attempt} ${version}`;

/** What an action works on; "pod" is everything of the pod on the machine. */
function subjectOf(action: Action): string {
  switch (action.kind) {
    case 'loadSources':
    case 'setUpVolumes':
      return 'volumes';
    case 'pullImage':
      return `image ${action.container}`;
    case 'patchStatus':
      return 'status';
    case 'runHook':
      return `${action.hook} ${action.container}`;
    case 'createSandbox':
      // Ending the old one must not race with a container that is being started in it.
      return action.replaces.length === 0 ? 'sandbox' : 'pod';
    case 'resizePod':
      return 'sandbox';
    case 'stopSandbox':
    case 'removeSandbox':
    case 'removePod':
    case 'deletePod':
      return 'pod';
    case 'createContainer':
    case 'startContainer':
    case 'signalContainer':
    case 'resizeContainer':
    case 'removeContainer':
      return `container ${action.container}`;
  }
}

/**
 * Whether two actions must not run at the same time. Images and the API object are not the pod's on the machine, and a
 * hook must not hold up the end of its container.
 */
export function isConflict(one: Action, other: Action): boolean {
  const [a, b] = [subjectOf(one), subjectOf(other)];
  if (a === b) return true;
  const isOutside = (action: Action): boolean =>
    ['pullImage', 'patchStatus', 'runHook'].includes(action.kind);
  return (a === 'pod' || b === 'pod') && !isOutside(one) && !isOutside(other);
}

/** Long work is given up when the plan no longer has it; the others are short, or must not be left half done. */
export function isAbortable({ kind }: Action): boolean {
  const long = ['loadSources', 'setUpVolumes', 'pullImage', 'createSandbox', 'createContainer', 'runHook'];
  return long.includes(kind);
}

/** Wait before the same action may run again after it ended `times` times in a row. */
export function repeatDelayMs(action: Action, times: number): number {
  return action.kind === 'pullImage'
    ? doublingBackoffMs(times, BOUNDS.pullBackoffMsMin, BOUNDS.pullBackoffMsMax)
    : doublingBackoffMs(times, BOUNDS.stepRetryMsMin, BOUNDS.stepRetryMsMax);
}
