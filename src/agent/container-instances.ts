// Small questions about the instances of a pod's containers. An instance "has run" once it was started, or failed to
// start; what was only created does not count: it may be thrown away and made again under the same attempt.
import { createHash } from 'node:crypto';
import type { Container, ContainerStatus, EphemeralContainer, Pod, PodStatus } from '../kube/api-types.ts';
import type { ContainerState, ObservedContainer } from '../machine/model/container.ts';
import type { ObservedSandbox } from '../machine/model/sandbox.ts';
import type { Observed } from './observed.ts';

export type Instance = ObservedContainer;
type In<Kind extends ContainerState['kind']> = Instance & {
  readonly state: Extract<ContainerState, { kind: Kind }>;
};
export type Running = In<'running'>;
export type Exited = In<'exited'>;

/** The agent's notes on an instance. */
export const HASH_ANNOTATION = 'podwright.dev/container-hash';
export const STREAK_ANNOTATION = 'podwright.dev/restart-streak';
export const STOP_SIGNAL_ANNOTATION = 'podwright.dev/stop-signal';

/** What, changed, restarts a container. Like the kubelet's: everything else in the spec is immutable or resized. */
export function definitionHash(container: Container): string {
  return createHash('sha256')
    .update(JSON.stringify([container.name, container.image]))
    .digest('hex')
    .slice(0, 16);
}

export const initContainers = (pod: Pod): readonly Container[] => pod.spec?.initContainers ?? [];
export const appContainers = (pod: Pod): readonly Container[] => pod.spec?.containers ?? [];
/** KEP-277: run once, beside the others, and count for nothing. */
export const ephemeralContainers = (pod: Pod): readonly EphemeralContainer[] =>
  pod.spec?.ephemeralContainers ?? [];
/** All that make up the pod's life. */
export const allContainers = (pod: Pod): readonly Container[] => [
  ...initContainers(pod),
  ...appContainers(pod),
];

/** All that may have an instance. */
export const everyContainer = (pod: Pod): readonly Container[] => [
  ...allContainers(pod),
  ...ephemeralContainers(pod),
];

export const isRunning = (instance: Instance): instance is Running => instance.state.kind === 'running';
export const isExited = (instance: Instance): instance is Exited => instance.state.kind === 'exited';
export const hasRun = (instance: Instance): instance is Running | Exited =>
  isRunning(instance) || isExited(instance);

/** Instances that have run, oldest first. */
export function runsOf(observed: Pick<Observed, 'containers'>, name: string): readonly (Running | Exited)[] {
  return observed.containers.filter((one) => one.name === name).filter(hasRun);
}

export function lastRunOf(
  observed: Pick<Observed, 'containers'>,
  name: string,
): Running | Exited | undefined {
  return runsOf(observed, name).at(-1);
}

export function newestSandbox(observed: Observed): ObservedSandbox | undefined {
  return observed.sandboxes.at(-1);
}

/** The attempt number of the sandbox containers are started in now, or will be: a dead one is never used again. */
export function wantedSandboxAttempt(observed: Observed): number {
  const newest = newestSandbox(observed);
  if (newest === undefined) return 0;
  return newest.state.kind === 'notReady' ? newest.attempt + 1 : newest.attempt;
}

export function isDefinitionChanged(container: Container, instance: Instance): boolean {
  const noted = instance.annotations[HASH_ANNOTATION];
  return noted !== undefined && noted !== definitionHash(container);
}

/** KEP-5532: it was made before all containers were restarted. */
export function isOfFormerRound(instance: Instance, { round }: Pick<Observed, 'round'>): boolean {
  return round?.names.has(instance.name) === true && instance.createdAtMs < round.beganAtMs;
}

/** The container's instance that was made and never started, if it still is what the spec asks for. */
export function createdInstance(container: Container, observed: Observed): Instance | undefined {
  return observed.containers.find(
    (one) =>
      one.name === container.name && one.state.kind === 'created' && isStartable(container, one, observed),
  );
}

/** It was made, never started, and still is what the spec asks for, in the sandbox that is up. */
export function isStartable(container: Container, instance: Instance, observed: Observed): boolean {
  const sandbox = newestSandbox(observed);
  const isInSandbox = sandbox?.state.kind === 'ready' && sandbox.attempt === instance.sandboxAttempt;
  const isWanted = !isDefinitionChanged(container, instance) && !isOfFormerRound(instance, observed);
  return isInSandbox && instance.state.kind === 'created' && isWanted;
}

/** 0 for an instance nobody noted a streak on, and for a definition that is new. */
export function streakOf(container: Container, instance: Instance): number {
  return isDefinitionChanged(container, instance) ? 0 : Number(instance.annotations[STREAK_ANNOTATION] ?? 0);
}

export function statusesOf(status: PodStatus | undefined): readonly ContainerStatus[] {
  const {
    initContainerStatuses = [],
    containerStatuses = [],
    ephemeralContainerStatuses = [],
  } = status ?? {};
  return [...initContainerStatuses, ...containerStatuses, ...ephemeralContainerStatuses];
}

export function msOf(time: string | undefined): number | undefined {
  return time === undefined ? undefined : Date.parse(time);
}
