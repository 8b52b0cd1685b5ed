// ReadWriteOncePod: of the pods of this node only one has such a claim mounted. Who has it is read off the machine; what
// is taken and not mounted yet is remembered here, so that two that come at once do not both get it.
// https://kubernetes.io/docs/concepts/storage/persistent-volumes/#access-modes
import type { PodUid } from '../base/brand.ts';
import type { Pod } from '../kube/api-types.ts';
import { isTerminal } from '../kube/pod.ts';
import { claimNameOf } from '../kube/storage.ts';
import type { Machine } from '../machine/machine.ts';
import { podIdentity } from './container-config.ts';

export class ExclusiveClaims {
  readonly #machine: Pick<Machine, 'observe'>;
  readonly #pods: () => readonly Pod[];
  readonly #taken = new Map<string, PodUid>();

  constructor(machine: Pick<Machine, 'observe'>, pods: () => readonly Pod[]) {
    this.#machine = machine;
    this.#pods = pods;
  }

  /** False: another pod that has not ended has it. */
  take(pod: Pod, claimName: string): boolean {
    const { uid, namespace } = podIdentity(pod);
    const key = `${namespace}/${claimName}`;
    const isHolder = (other: Pod): boolean => {
      const identity = podIdentity(other);
      if (identity.uid === uid || identity.namespace !== namespace || isTerminal(other)) return false;
      if (this.#taken.get(key) === identity.uid) return true;
      const mounted = this.#machine.observe(identity.uid).volumes;
      const volumes = other.spec?.volumes ?? [];
      return volumes.some((one) => claimNameOf(other, one) === claimName && mounted.includes(one.name));
    };
    if (this.#pods().some(isHolder)) return false;
    this.#taken.set(key, uid);
    return true;
  }
}
