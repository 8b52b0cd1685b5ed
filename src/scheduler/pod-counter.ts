// How many pods of some sort there are in each domain of a topology, kept up to date as pods come and go: what pod
// affinity and topology spread ask, without looking at pods.
//
// Invariant: perDomain[d] is the sum of weightOf over the pods on counted nodes of domain d.
import type { PodClass } from './pod-class.ts';
import type { Topology } from './topology.ts';

export type CounterRule = {
  /** How much one pod of the class counts; 0 for one that does not. */
  readonly weightOf: (podClass: PodClass) => number;
  /** By node: whether its pods count. Absent: all do. */
  readonly countsNode?: Uint8Array | undefined;
  /** Topology spread looks past pods that are on their way out. */
  readonly terminating: 'counted' | 'ignored';
};

export class PodCounter {
  readonly topology: Topology;
  readonly perDomain: Float64Array;
  /** Over all domains. */
  total = 0;
  readonly #rule: CounterRule;
  readonly #weights = new Map<number, number>();

  constructor(topology: Topology, rule: CounterRule) {
    this.topology = topology;
    this.#rule = rule;
    this.perDomain = new Float64Array(topology.domains.length);
  }

  get ignoresTerminating(): boolean {
    return this.#rule.terminating === 'ignored';
  }

  add(podClass: PodClass, node: number, count: number): void {
    let weight = this.#weights.get(podClass.id);
    if (weight === undefined) {
      weight = this.#rule.weightOf(podClass);
      this.#weights.set(podClass.id, weight);
    }
    if (weight === 0 || this.#rule.countsNode?.[node] === 0) return;
    const domain = this.topology.domainOf[node] ?? -1;
    if (domain < 0) return;
    this.total += weight * count;
    this.perDomain[domain] = (this.perDomain[domain] ?? 0) + weight * count;
  }

  /** 0 where the node has no such label. */
  at(node: number): number {
    const domain = this.topology.domainOf[node] ?? -1;
    return domain < 0 ? 0 : (this.perDomain[domain] ?? 0);
  }
}
