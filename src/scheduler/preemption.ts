// PostFilter: which pods of lower priority must go so that this one fits, and on which node
// (https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/). Tries on the cluster itself and puts
// everything back: it only proposes. PodDisruptionBudgets are not looked at: Podwright has none.
import { BOUNDS } from '../base/bounds.ts';
import type { ClassView } from './class-view.ts';
import type { Cluster, PlacedPod } from './cluster.ts';

export type Eviction = { readonly node: number; readonly victims: readonly PlacedPod[] };

/** Most important last to go: by priority, then the one that was there first. */
const moreImportantFirst = (a: PlacedPod, b: PlacedPod): number =>
  b.podClass.priority - a.podClass.priority || a.slot - b.slot;

/** The fewest pods whose leaving makes room on the node; undefined when even all of lower priority do not. */
function victimsOn(view: ClassView, cluster: Cluster, node: number): readonly PlacedPod[] | undefined {
  const { priority } = view.podClass;
  const lower = cluster
    .podsOn(node)
    .filter(({ podClass }) => podClass.priority < priority)
    .sort(moreImportantFirst);
  if (lower.length === 0) return undefined;
  for (const placed of lower) cluster.remove(placed);
  const victims: PlacedPod[] = [];
  const isPossible = view.fits(node);
  for (const placed of lower) {
    cluster.restore(placed);
    if (!isPossible || view.fits(node)) continue;
    cluster.remove(placed);
    victims.push(placed);
  }
  for (const placed of victims) cluster.restore(placed);
  return isPossible ? victims : undefined;
}

/** kube-scheduler's order: the least important most important victim, then the least sum, then the fewest. */
function isBetter(a: readonly PlacedPod[], b: readonly PlacedPod[]): boolean {
  const highest = (victims: readonly PlacedPod[]): number =>
    victims.reduce((most, { podClass }) => Math.max(most, podClass.priority), Number.NEGATIVE_INFINITY);
  // Kubernetes shifts priorities so that none is negative: more victims never weigh less.
  const sum = (victims: readonly PlacedPod[]): number =>
    victims.reduce((total, { podClass }) => total + podClass.priority + 2 ** 31, 0);
  return highest(a) - highest(b) < 0 || (highest(a) === highest(b) && sum(a) < sum(b));
}

/** Undefined when no node could be freed. Looks at a tenth of the nodes, at least a hundred that would do. */
export function findEviction(view: ClassView, cluster: Cluster): Eviction | undefined {
  const { mayPreempt, priority } = view.podClass;
  if (!mayPreempt || !cluster.hasPodsBelow(priority)) return undefined;
  view.refresh();
  const enough = Math.max(BOUNDS.preemptionCandidates, Math.floor(cluster.size / 10));
  let best: Eviction | undefined;
  let found = 0;
  for (let node = 0; node < cluster.size && found < enough; node += 1) {
    if (cluster.nodes[node] === undefined) continue;
    const objections = view.objections(node);
    if (!objections.every(({ reasons }) => reasons.every(({ isResolvable }) => isResolvable))) continue;
    const victims = victimsOn(view, cluster, node);
    if (victims === undefined) continue;
    found += 1;
    if (best === undefined || isBetter(victims, best.victims)) best = { node, victims };
  }
  return best;
}
