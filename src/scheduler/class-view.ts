// What one pod class sees of the cluster: which nodes could take such a pod, and how good each is. Kept between pods and
// brought up to date from the changes alone, so that the second of a thousand equal pods costs a few comparisons.
//
// Invariant: after refresh(), every verdict and score equals what the plug-ins would say if each were asked anew.
import type { Cluster } from './cluster.ts';
import type { NodeFilter, NodeScore, Prepared, Reason } from './framework.ts';
import type { PluginName } from './plugin-name.ts';
import { PLUGINS } from './plugins.ts';
import type { PodClass } from './pod-class.ts';
import { type Profile, weightOf } from './profile.ts';
import type { Remedy } from './remedy.ts';
import { WinnerTree } from './winner-tree.ts';

type Filter = NodeFilter & { readonly name: PluginName };
type Score = NodeScore & { readonly name: PluginName; readonly weight: number };

/** The plug-ins that take part, by what makes them speak. */
type Crew = {
  readonly filters: readonly Filter[];
  readonly nodeFilters: readonly Filter[];
  readonly usageFilters: readonly Filter[];
  readonly clusterFilters: readonly Filter[];
  /** Not normalised: the sum stands for itself. */
  readonly plainScores: readonly Score[];
  readonly normalizedScores: readonly Score[];
};

function crewOf(
  prepared: readonly { readonly name: PluginName; readonly weight: number; readonly run: Prepared }[],
): Crew {
  const filters = prepared.flatMap(({ name, run }) =>
    run.filter === undefined ? [] : [{ ...run.filter, name, scope: run.scope }],
  );
  const scores = prepared.flatMap(({ name, weight, run }) =>
    run.score === undefined || weight === 0 ? [] : [{ ...run.score, name, weight }],
  );
  return {
    filters,
    nodeFilters: filters.filter(({ scope }) => scope === 'node'),
    usageFilters: filters.filter(({ scope }) => scope === 'usage'),
    clusterFilters: filters.filter(({ scope }) => scope === 'cluster'),
    plainScores: scores.filter(({ normalize }) => normalize === undefined),
    normalizedScores: scores.filter(({ normalize }) => normalize !== undefined),
  };
}

function scoresOf({ begin, score, normalize }: Score, feasible: Int32Array): Float64Array {
  begin?.(feasible);
  const scores = new Float64Array(feasible.length);
  for (let i = 0; i < feasible.length; i += 1) scores[i] = score(feasible[i] ?? 0);
  normalize?.(scores);
  return scores;
}

function allFit(filters: readonly Filter[], node: number): boolean {
  for (const filter of filters) if (!filter.fits(node)) return false;
  return true;
}

/** What each plug-in gives a node, its weight applied; those that give the same to all may be left out. */
export type Breakdown = ReadonlyMap<PluginName, number>;

export type Objection = { readonly plugin: PluginName; readonly reasons: readonly Reason[] };

export class ClassView {
  readonly podClass: PodClass;
  readonly #cluster: Cluster;
  readonly #profile: Profile;
  #nodesVersion = -1;
  #termsVersion = -1;
  #usageVersion = -1;
  #volumesVersion = -1;
  #refusal: string | undefined;
  #crew: Crew = crewOf([]);
  /** Nodes that pass what depends on the node alone, rising. */
  #candidates: Int32Array = new Int32Array(0);
  #isCandidate: Uint8Array = new Uint8Array(0);
  /** Plain scores of the nodes that pass what depends on node and usage. */
  #tree = new WinnerTree(0);
  #feasible: Int32Array = new Int32Array(0);

  constructor(podClass: PodClass, cluster: Cluster, profile: Profile) {
    this.podClass = podClass;
    this.#cluster = cluster;
    this.#profile = profile;
  }

  refresh(): void {
    const { nodesVersion, termsVersion, usageVersion } = this.#cluster;
    const volumesVersion = this.podClass.claims.length === 0 ? -1 : this.#cluster.volumes.version;
    if (this.#nodesVersion !== nodesVersion || this.#volumesVersion !== volumesVersion) this.#lookAtNodes();
    else if (this.#termsVersion !== termsVersion) this.#prepare();
    if (this.#usageVersion !== usageVersion) this.#lookAtUsage();
    // Preparing may add counters, which may raise the version of the terms; once more is then enough.
    this.#nodesVersion = nodesVersion;
    this.#volumesVersion = volumesVersion;
    this.#termsVersion = termsVersion;
    this.#usageVersion = usageVersion;
    for (const { begin } of this.#crew.clusterFilters) begin?.();
  }

  /** The node with the highest score, of equals the first; -1 when none fits. */
  best(): number {
    this.refresh();
    const { clusterFilters, normalizedScores } = this.#crew;
    if (clusterFilters.length + normalizedScores.length === 0) return this.#tree.best();
    const feasible = this.#feasibleNodes();
    const scores = this.#totals(feasible);
    let best = -1;
    let bestScore = -1;
    for (let i = 0; i < feasible.length; i += 1) {
      const score = scores[i] ?? 0;
      if (score <= bestScore) continue;
      bestScore = score;
      best = feasible[i] ?? -1;
    }
    return best;
  }

  /** Every node that fits, with its score; for reports and tests. */
  ranking(): readonly { readonly node: number; readonly score: number }[] {
    this.refresh();
    const feasible = this.#feasibleNodes();
    const scores = this.#totals(feasible);
    return [...feasible].map((node, i) => ({ node, score: scores[i] ?? 0 }));
  }

  /** The same, plug-in by plug-in; for whoever asks why. */
  breakdown(): ReadonlyMap<number, Breakdown> {
    this.refresh();
    const feasible = this.#feasibleNodes();
    const { plainScores, normalizedScores } = this.#crew;
    const parts = [...plainScores, ...normalizedScores].map((one) => ({
      ...one,
      scores: scoresOf(one, feasible),
    }));
    return new Map(
      [...feasible].map((node, i) => [
        node,
        new Map(parts.map(({ name, weight, scores }) => [name, weight * (scores[i] ?? 0)])),
      ]),
    );
  }

  /** Whether the pod fits now; refresh() must have been called since the nodes changed. */
  fits(node: number): boolean {
    const { usageFilters, clusterFilters } = this.#crew;
    if (this.#isCandidate[node] !== 1 || !allFit(usageFilters, node)) return false;
    for (const { begin } of clusterFilters) begin?.();
    return allFit(clusterFilters, node);
  }

  /**
   * The best of these nodes alone, by the scores that need no comparison with others; -1 when none of them fits. Schedulers
   * that look at a sample of the cluster use it.
   */
  bestOf(nodes: readonly number[]): number {
    this.refresh();
    let best = -1;
    let bestScore = -1;
    for (const node of nodes) {
      const score = this.#tree.scores[node] ?? -1;
      if (score <= bestScore || !allFit(this.#crew.clusterFilters, node)) continue;
      bestScore = score;
      best = node;
    }
    return best;
  }

  /** Why no node whatever will do; refresh() must have been called. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  /** The first plug-in that objects to the node. */
  objector(node: number): PluginName | undefined {
    return this.#crew.filters.find((filter) => !filter.fits(node))?.name;
  }

  /** What the first objecting plug-in has against the node; undefined when it fits. */
  objection(node: number): Objection | undefined {
    for (const filter of this.#crew.filters) {
      const reasons = filter.reasons(node);
      if (reasons.length > 0) return { plugin: filter.name, reasons };
    }
    return undefined;
  }

  /** What every plug-in has against the node. */
  objections(node: number): readonly Objection[] {
    return this.#crew.filters.flatMap((filter) => {
      const reasons = filter.reasons(node);
      return reasons.length === 0 ? [] : [{ plugin: filter.name, reasons }];
    });
  }

  /** What would all have to change so that the node fits; undefined where nothing helps one of those that object. */
  remedies(node: number): readonly Remedy[] | undefined {
    const objecting = this.#crew.filters.filter((filter) => !filter.fits(node));
    const remedies = objecting.map((filter) => filter.remedies(node));
    return remedies.every((some) => some.length > 0) ? remedies.flat() : undefined;
  }

  #prepare(): void {
    const context = { cluster: this.#cluster, profile: this.#profile };
    const disabled = this.#profile.disabled ?? [];
    const prepared = PLUGINS.filter(({ name }) => !disabled.includes(name)).flatMap(({ name, prepare }) => {
      const run = prepare(this.podClass, context);
      return run === undefined ? [] : [{ name, weight: weightOf(this.#profile, name), run }];
    });
    const crew = crewOf(prepared);
    this.#refusal = prepared.find(({ run }) => run.refusal !== undefined)?.run.refusal;
    // A normalised score that is the same everywhere decides nothing.
    const nodeScores = new Set(
      prepared.filter(({ run }) => run.scope === 'node').map(({ run }) => run.score?.score),
    );
    const differs = (score: Score): boolean => !nodeScores.has(score.score) || !this.#isUniform(score);
    this.#crew = { ...crew, normalizedScores: crew.normalizedScores.filter(differs) };
  }

  #isUniform({ score }: Score): boolean {
    const { nodes } = this.#cluster;
    const first = nodes.findIndex((node) => node !== undefined);
    const value = first < 0 ? 0 : score(first);
    return nodes.every((node, index) => node === undefined || score(index) === value);
  }

  #lookAtNodes(): void {
    this.#prepare();
    const { nodes, size } = this.#cluster;
    const { nodeFilters } = this.#crew;
    const found = new Int32Array(size);
    this.#isCandidate = new Uint8Array(size);
    let count = 0;
    for (let node = 0; node < size; node += 1) {
      if (nodes[node] === undefined || !allFit(nodeFilters, node)) continue;
      found[count] = node;
      this.#isCandidate[node] = 1;
      count += 1;
    }
    this.#candidates = found.slice(0, count);
    this.#tree = new WinnerTree(size);
    this.#feasible = new Int32Array(count);
    this.#usageVersion = -1;
  }

  #lookAtUsage(): void {
    const isKnown =
      this.#usageVersion >= 0 &&
      this.#cluster.changedSince(this.#usageVersion, (node) => {
        if (this.#isCandidate[node] === 1) this.#tree.set(node, this.#plainScore(node));
      });
    if (isKnown) return;
    const { scores } = this.#tree;
    for (const node of this.#candidates) scores[node] = this.#plainScore(node);
    this.#tree.rebuild();
  }

  #plainScore(node: number): number {
    const { usageFilters, plainScores } = this.#crew;
    if (!allFit(usageFilters, node)) return -1;
    let sum = 0;
    for (const { score, weight } of plainScores) sum += weight * score(node);
    return sum;
  }

  #feasibleNodes(): Int32Array {
    const { clusterFilters } = this.#crew;
    const { scores } = this.#tree;
    let count = 0;
    for (const node of this.#candidates) {
      if ((scores[node] ?? -1) < 0 || !allFit(clusterFilters, node)) continue;
      this.#feasible[count] = node;
      count += 1;
    }
    return this.#feasible.subarray(0, count);
  }

  #totals(feasible: Int32Array): Float64Array {
    const plain = this.#tree.scores;
    const totals = new Float64Array(feasible.length);
    for (let i = 0; i < feasible.length; i += 1) totals[i] = plain[feasible[i] ?? 0] ?? 0;
    for (const one of this.#crew.normalizedScores) {
      const { weight } = one;
      const scores = scoresOf(one, feasible);
      for (let i = 0; i < feasible.length; i += 1) totals[i] = (totals[i] ?? 0) + weight * (scores[i] ?? 0);
    }
    return totals;
  }
}
