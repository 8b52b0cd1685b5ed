// Pod groups in the manner of KEP-4671: spec.schedulingGroup.podGroupName names the group, and nothing of it is bound until
// minCount of it can be. Kubernetes keeps minCount in a PodGroup object; here the pods carry it as an annotation.
import type { Pod } from '../kube/api-types.ts';

export const MIN_COUNT_ANNOTATION = 'scheduling.podwright.dev/min-count';

/** namespace/name of the pod's group. */
export function groupOf({ metadata, spec }: Pod): string | undefined {
  const name = spec?.schedulingGroup?.podGroupName;
  return name === undefined ? undefined : `${metadata?.namespace ?? 'default'}/${name}`;
}

/** At least 1; what is no whole number counts as 1. */
export function minCountOf({ metadata }: Pod): number {
  const text = metadata?.annotations?.[MIN_COUNT_ANNOTATION] ?? '1';
  return /^\d+$/.test(text) ? Math.max(1, Number(text)) : 1;
}

/** Which pods of which group have a node. */
export class PlacedGroups {
  readonly #members = new Map<string, Set<string>>();
  readonly #groupOf = new Map<string, string>();

  add(group: string | undefined, uid: string): void {
    if (group === undefined) return;
    const members = this.#members.get(group) ?? new Set();
    this.#members.set(group, members.add(uid));
    this.#groupOf.set(uid, group);
  }

  delete(uid: string): void {
    const group = this.#groupOf.get(uid);
    if (group === undefined) return;
    this.#groupOf.delete(uid);
    const members = this.#members.get(group);
    members?.delete(uid);
    if (members?.size === 0) this.#members.delete(group);
  }

  /** How many more must find a node together. */
  missing(group: string, minCount: number): number {
    return Math.max(0, minCount - (this.#members.get(group)?.size ?? 0));
  }
}
