// What the checks of the Pod Security Standards have in common: a look at one rule of a pod, and the words for what breaks it.
// https://kubernetes.io/docs/concepts/security/pod-security-standards/
import type { Container, ObjectMeta, PodSpec } from '../api-types.ts';

export type CheckedPod = { readonly metadata?: ObjectMeta | undefined; readonly spec: PodSpec };

/** "privileged (container "a" must not set securityContext.privileged=true)" */
export type Violation = { readonly reason: string; readonly detail: string };

/** Undefined: the pod keeps the rule. */
export type Check = (pod: CheckedPod) => Violation | undefined;

export function containersOf({ spec }: CheckedPod): readonly Container[] {
  return [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])];
}

export function namesOf(pod: CheckedPod, isBad: (container: Container) => boolean): readonly string[] {
  return containersOf(pod)
    .filter(isBad)
    .map(({ name }) => name);
}

export const sorted = (texts: Iterable<string>): readonly string[] => [...new Set(texts)].sort();

export const quoted = (texts: readonly string[]): string =>
  texts.map((text) => JSON.stringify(text)).join(', ');

export const counted = (word: string, texts: readonly unknown[]): string =>
  texts.length === 1 ? word : `${word}s`;

/** `containers "a", "b"` */
export const containers = (names: readonly string[]): string =>
  `${counted('container', names)} ${quoted(names)}`;

/** `pod and container "a"`: who says what must not be said. */
export function settersOf(isPod: boolean, names: readonly string[]): string {
  return [...(isPod ? ['pod'] : []), ...(names.length > 0 ? [containers(names)] : [])].join(' and ');
}
