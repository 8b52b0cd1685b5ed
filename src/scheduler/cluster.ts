// The scheduler's memory: nodes, and what the pods on each hold. Sums are kept by adding and taking away; nodes are
// numbers, and their amounts columns of typed arrays, so that looking at five thousand of them takes microseconds.
//
// Invariant: every column equals the sum over the pods that are on the node; `nodesVersion` changes with the nodes
// themselves, `usageVersion` with every pod that comes or goes, and the changes between two usage versions can be named.
import { BOUNDS } from '../base/bounds.ts';
import type { Node } from '../kube/api-types.ts';
import { resourceAmounts } from '../kube/pod.ts';
import { ClusterVolumes } from './cluster-volumes.ts';
import type { Labels, PodClass, PodTerm } from './pod-class.ts';
import { type CounterRule, PodCounter } from './pod-counter.ts';
import { type Topology, topologyOf } from './topology.ts';

/** A pod on a node. The slot is its place in the node's list. */
export type PlacedPod = {
  readonly uid: string;
  readonly podClass: PodClass;
  readonly node: number;
  slot: number;
  isTerminating: boolean;
  /** Not there yet: kept free for a pod that waits for its victims to end (nominatedNodeName). */
  readonly isNominated: boolean;
};

export type ResourceColumns = { allocatable: Float64Array; requested: Float64Array };

/** Terms of pods that are already there and have a say about those that come. */
export type OwnedTerm = {
  readonly kind: 'required-anti-affinity' | 'required-affinity' | 'preferred';
  readonly term: PodTerm;
  owners: number;
};

const NO_LABELS: Labels = {};
const grown = (array: Float64Array, size: number): Float64Array => {
  const next = new Float64Array(size);
  next.set(array.subarray(0, size));
  return next;
};

export class Cluster {
  nodesVersion = 0;
  usageVersion = 0;
  /** Raised when a pod brings a term nobody had before. */
  termsVersion = 0;
  readonly volumes = new ClusterVolumes();
  readonly podCount: { allocatable: Float64Array; requested: Float64Array };
  /** cpu and memory as scoring counts them, with defaults for what asks for nothing. */
  scoredCpuMilli: Float64Array;
  scoredMemoryBytes: Float64Array;

  readonly #nodes: (Node | undefined)[] = [];
  readonly #indexByName = new Map<string, number>();
  readonly #pods: PlacedPod[][] = [];
  readonly #resources = new Map<string, ResourceColumns>();
  readonly #namespaceLabels = new Map<string, Labels>();
  readonly #topologies = new Map<string, Topology>();
  readonly #counters = new Map<string, PodCounter>();
  readonly #ownedTerms = new Map<string, OwnedTerm>();
  readonly #podsByPriority = new Map<number, number>();
  readonly #claimUsers = new Map<string, number>();
  readonly #changes = new Int32Array(BOUNDS.nodeChanges);
  #capacity = 0;

  constructor() {
    this.podCount = { allocatable: new Float64Array(0), requested: new Float64Array(0) };
    this.scoredCpuMilli = new Float64Array(0);
    this.scoredMemoryBytes = new Float64Array(0);
  }

  /** How many node numbers there are; a node that left keeps its number until it comes back. */
  get size(): number {
    return this.#nodes.length;
  }

  get nodes(): readonly (Node | undefined)[] {
    return this.#nodes;
  }

  nodeName(index: number): string {
    return this.#nodes[index]?.metadata?.name ?? '';
  }

  indexOf(name: string): number | undefined {
    const index = this.#indexByName.get(name);
    return index === undefined || this.#nodes[index] === undefined ? undefined : index;
  }

  podsOn(node: number): readonly PlacedPod[] {
    return this.#pods[node] ?? [];
  }

  /** Whether anybody is there who could be preempted by that priority. */
  hasPodsBelow(priority: number): boolean {
    for (const [other, count] of this.#podsByPriority) if (other < priority && count > 0) return true;
    return false;
  }

  /** How many pods with a node mount the claim. */
  claimUsers(key: string): number {
    return this.#claimUsers.get(key) ?? 0;
  }

  get namespaceLabelsOf(): (namespace: string) => Labels {
    return (namespace) => this.#namespaceLabels.get(namespace) ?? NO_LABELS;
  }

  /** The number of a name, given also before the node itself is known: its pods may be seen first. */
  reserveIndex(name: string): number {
    const known = this.#indexByName.get(name);
    if (known !== undefined) return known;
    const index = this.#nodes.length;
    this.#indexByName.set(name, index);
    this.#nodes.push(undefined);
    this.#pods.push([]);
    if (index >= this.#capacity) this.#grow(Math.max(64, this.#capacity * 2));
    this.#nodesChanged();
    return index;
  }

  setNode(node: Node): number {
    const index = this.reserveIndex(node.metadata?.name ?? '');
    this.#nodes[index] = node;
    const amounts = resourceAmounts(node.status?.allocatable);
    for (const [name, columns] of this.#resources) columns.allocatable[index] = amounts[name] ?? 0;
    for (const [name, amount] of Object.entries(amounts)) this.resource(name).allocatable[index] = amount;
    this.podCount.allocatable[index] = amounts.pods ?? Number.POSITIVE_INFINITY;
    this.#nodesChanged();
    return index;
  }

  removeNode(name: string): void {
    const index = this.#indexByName.get(name);
    if (index === undefined) return;
    this.#nodes[index] = undefined;
    this.#nodesChanged();
  }

  setNamespace(name: string, labels: Labels): void {
    if (JSON.stringify(this.#namespaceLabels.get(name) ?? NO_LABELS) === JSON.stringify(labels)) return;
    this.#namespaceLabels.set(name, labels);
    this.#nodesChanged();
  }

  /** The columns of a resource; one nobody has is made, full of zeros. */
  resource(name: string): ResourceColumns {
    let columns = this.#resources.get(name);
    if (columns === undefined) {
      columns = {
        allocatable: new Float64Array(this.#capacity),
        requested: new Float64Array(this.#capacity),
      };
      this.#resources.set(name, columns);
    }
    return columns;
  }

  resourceNames(): readonly string[] {
    return [...this.#resources.keys()];
  }

  place(podClass: PodClass, uid: string, node: number, as: 'assigned' | 'nominated' = 'assigned'): PlacedPod {
    const isNominated = as === 'nominated';
    const placed = { uid, podClass, node, slot: -1, isTerminating: false, isNominated };
    this.restore(placed);
    return placed;
  }

  /** Puts back what was removed. */
  restore(placed: PlacedPod): void {
    const pods = this.#pods[placed.node];
    if (pods === undefined) throw new Error(`no node number ${placed.node}`);
    placed.slot = pods.length;
    pods.push(placed);
    this.#count(placed, 1);
    this.#ownTermsOf(placed.podClass, 1);
  }

  remove(placed: PlacedPod): void {
    const pods = this.#pods[placed.node] ?? [];
    const last = pods.pop();
    if (last === undefined || pods.length < placed.slot) throw new Error(`${placed.uid} is not on its node`);
    if (last !== placed) {
      pods[placed.slot] = last;
      last.slot = placed.slot;
    }
    this.#count(placed, -1);
    this.#ownTermsOf(placed.podClass, -1);
  }

  /** Still holds what it holds; topology spread no longer counts it. */
  setTerminating(placed: PlacedPod): void {
    if (placed.isTerminating) return;
    for (const counter of this.#counters.values())
      if (counter.ignoresTerminating) counter.add(placed.podClass, placed.node, -1);
    placed.isTerminating = true;
    this.usageVersion += 1;
    this.#changes[this.usageVersion % this.#changes.length] = placed.node;
  }

  /**
   * Calls back for the node of each change since that version; a node may come more than once. False when the changes are
   * no longer known, or more than there are nodes: look at all.
   */
  changedSince(version: number, callback: (node: number) => void): boolean {
    if (this.usageVersion - version > Math.min(this.#changes.length - 1, this.size)) return false;
    for (let at = version + 1; at <= this.usageVersion; at += 1)
      callback(this.#changes[at % this.#changes.length] ?? 0);
    return true;
  }

  topology(key: string): Topology {
    let topology = this.#topologies.get(key);
    if (topology === undefined) {
      topology = topologyOf(key, this.#nodes);
      this.#topologies.set(key, topology);
    }
    return topology;
  }

  /** The counter of that name, made from the pods that are there if it is new. The name must say all of the rule. */
  counter(name: string, topologyKey: string, makeRule: () => CounterRule): PodCounter {
    const known = this.#counters.get(name);
    if (known !== undefined) return known;
    const counter = new PodCounter(this.topology(topologyKey), makeRule());
    for (const pods of this.#pods) {
      for (const placed of pods) {
        if (!(placed.isTerminating && counter.ignoresTerminating))
          counter.add(placed.podClass, placed.node, 1);
      }
    }
    // Everyone who prepared with an old one prepares again.
    if (this.#counters.size >= BOUNDS.podCounters) {
      this.#counters.clear();
      this.termsVersion += 1;
    }
    this.#counters.set(name, counter);
    return counter;
  }

  ownedTerms(): Iterable<OwnedTerm> {
    return this.#ownedTerms.values();
  }

  #count({ podClass, node, isTerminating }: PlacedPod, sign: 1 | -1): void {
    const { requests } = podClass;
    for (const name in requests) {
      const { requested } = this.resource(name);
      requested[node] = (requested[node] ?? 0) + sign * (requests[name] ?? 0);
    }
    const { podCount, scoredCpuMilli, scoredMemoryBytes } = this;
    podCount.requested[node] = (podCount.requested[node] ?? 0) + sign;
    scoredCpuMilli[node] = (scoredCpuMilli[node] ?? 0) + sign * podClass.scoredCpuMilli;
    scoredMemoryBytes[node] = (scoredMemoryBytes[node] ?? 0) + sign * podClass.scoredMemoryBytes;
    for (const counter of this.#counters.values())
      if (!(isTerminating && counter.ignoresTerminating)) counter.add(podClass, node, sign);
    for (const { key } of podClass.claims) this.#claimUsers.set(key, this.claimUsers(key) + sign);
    const { priority } = podClass;
    this.#podsByPriority.set(priority, (this.#podsByPriority.get(priority) ?? 0) + sign);
    this.usageVersion += 1;
    this.#changes[this.usageVersion % this.#changes.length] = node;
  }

  #ownTermsOf({ affinity, antiAffinity, preferred }: PodClass, sign: 1 | -1): void {
    for (const term of antiAffinity) this.#own('required-anti-affinity', term, sign);
    for (const term of affinity) this.#own('required-affinity', term, sign);
    for (const { term } of preferred) this.#own('preferred', term, sign);
  }

  #own(kind: OwnedTerm['kind'], term: PodTerm, sign: 1 | -1): void {
    const key = `${kind} ${term.key}`;
    const known = this.#ownedTerms.get(key);
    if (known !== undefined) known.owners += sign;
    else {
      // Terms without owners do no harm; they go when there is no room for a new one.
      if (this.#ownedTerms.size >= BOUNDS.ownedTerms) this.#forgetOrphans();
      this.#ownedTerms.set(key, { kind, term, owners: 1 });
      this.termsVersion += 1;
    }
  }

  #forgetOrphans(): void {
    for (const [key, { owners }] of this.#ownedTerms) if (owners === 0) this.#ownedTerms.delete(key);
  }

  /** What was derived from the nodes is made again when it is asked for. */
  #nodesChanged(): void {
    this.nodesVersion += 1;
    this.#topologies.clear();
    this.#counters.clear();
  }

  #grow(capacity: number): void {
    this.#capacity = capacity;
    for (const columns of [...this.#resources.values(), this.podCount]) {
      columns.allocatable = grown(columns.allocatable, capacity);
      columns.requested = grown(columns.requested, capacity);
    }
    this.scoredCpuMilli = grown(this.scoredCpuMilli, capacity);
    this.scoredMemoryBytes = grown(this.scoredMemoryBytes, capacity);
  }
}
