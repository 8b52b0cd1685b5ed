// Pod groups (KEP-4671, as v1.36 has it): spec.schedulingGroup.podGroupName names a PodGroup, and of one with a gang policy
// nothing is bound until minCount of it can be. The group is placed in one cycle and bound in one commit, so while it waits
// it holds nothing: there is nothing that a time-out would have to give back.
// https://kubernetes.io/docs/concepts/scheduling-eviction/gang-scheduling/
import type { Pod, PodGroup } from '../kube/api-types.ts';
import type { GroupMembership } from './queue.ts';

/** namespace/name of the pod's group. */
export function groupOf({ metadata, spec }: Pod): string | undefined {
  const name = spec?.schedulingGroup?.podGroupName;
  return name === undefined ? undefined : `${metadata?.namespace ?? 'default'}/${name}`;
}

/** alone: in no group, or in one whose pods are placed one by one. */
export type Membership =
  | { readonly kind: 'alone' }
  | { readonly kind: 'absent'; readonly message: string }
  | { readonly kind: 'gang'; readonly group: GroupMembership };

const ALONE: Membership = { kind: 'alone' };
export const WAITING_FOR_GANG = 'waiting for minCount pods from a gang to appear in scheduling queue';

/** The PodGroups there are, and which pods of which group have a node. */
export class PodGroups {
  readonly #groups = new Map<string, PodGroup>();
  readonly #members = new Map<string, Set<string>>();
  readonly #groupOf = new Map<string, string>();

  /** The name of the group, for its pods to be looked at again; undefined when it is known already. */
  set(group: PodGroup): string | undefined {
    const { namespace, name } = group.metadata ?? {};
    const key = `${namespace}/${name}`;
    const before = this.#groups.get(key);
    this.#groups.set(key, group);
    return before === undefined ? key : undefined;
  }

  remove({ metadata }: PodGroup): string {
    const key = `${metadata?.namespace}/${metadata?.name}`;
    this.#groups.delete(key);
    return key;
  }

  get(key: string): PodGroup | undefined {
    return this.#groups.get(key);
  }

  membershipOf(pod: Pod): Membership {
    const name = groupOf(pod);
    if (name === undefined) return ALONE;
    const group = this.#groups.get(name);
    if (group === undefined) {
      const message = `waiting for pods's pod group ${JSON.stringify(pod.spec?.schedulingGroup?.podGroupName)} to appear in scheduling queue`;
      return { kind: 'absent', message };
    }
    const { gang } = group.spec.schedulingPolicy;
    if (gang === undefined) return ALONE;
    return { kind: 'gang', group: { name, needed: this.#missing(name, gang.minCount) } };
  }

  place(group: string | undefined, uid: string): void {
    if (group === undefined) return;
    const members = this.#members.get(group) ?? new Set();
    this.#members.set(group, members.add(uid));
    this.#groupOf.set(uid, group);
  }

  free(uid: string): void {
    const group = this.#groupOf.get(uid);
    if (group === undefined) return;
    this.#groupOf.delete(uid);
    const members = this.#members.get(group);
    members?.delete(uid);
    if (members?.size === 0) this.#members.delete(group);
  }

  /** How many more must find a node together. */
  #missing(group: string, minCount: number): number {
    return Math.max(0, minCount - (this.#members.get(group)?.size ?? 0));
  }
}
