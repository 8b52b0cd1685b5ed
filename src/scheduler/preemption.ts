// PostFilter: which pods of lower priority must go so that this one fits, and on which node
// (https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/). Tries on the cluster itself and puts
// everything back: it only proposes. PodDisruptionBudgets are not looked at: Podwright has none.
import { BOUNDS } from '../base/bounds.ts';
import type { ClassView } from './class-view.ts';
import type { Cluster, PlacedPod } from './cluster.ts';
import { fitError } from './fit-error.ts';

export type Eviction = { readonly node: number; readonly victims: readonly PlacedPod[] };

/** Most important last to go: by priority, then the one that was there first. */
const moreImportantFirst = (a: PlacedPod, b: PlacedPod): number =>
  b.podClass.priority - a.podClass.priority || a.slot - b.slot;

function lowerOn(
  { podClass: { priority } }: ClassView,
  cluster: Cluster,
  node: number,
): readonly PlacedPod[] {
  return cluster
    .podsOn(node)
    .filter(({ podClass }) => podClass.priority < priority)
    .sort(moreImportantFirst);
}

/** Whether taking pods away from the node could help at all. */
function couldHelp(view: ClassView, node: number): boolean {
  return view.objections(node).every(({ reasons }) => reasons.every(({ isResolvable }) => isResolvable));
}

/** The fewest pods whose leaving makes room on the node; undefined when even all of lower priority do not. */
function victimsOn(view: ClassView, cluster: Cluster, node: number): readonly PlacedPod[] | undefined {
  const lower = lowerOn(view, cluster, node);
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
    if (!couldHelp(view, node)) continue;
    const victims = victimsOn(view, cluster, node);
    if (victims === undefined) continue;
    found += 1;
    if (best === undefined || isBetter(victims, best.victims)) best = { node, victims };
  }
  return best;
}

/** Why no node could be freed, where findEviction() found none, in the words of kube-scheduler's DefaultPreemption. */
export function preemptionFailure(view: ClassView, cluster: Cluster): string {
  if (!view.podClass.mayPreempt) return 'not eligible due to preemptionPolicy=Never.';
  const present = [...cluster.nodes.keys()].filter((node) => cluster.nodes[node] !== undefined);
  const reasonsOn = (node: number): readonly string[] => {
    if (!couldHelp(view, node)) return ['Preemption is not helpful for scheduling'];
    const lower = lowerOn(view, cluster, node);
    if (lower.length === 0) return ['No preemption victims found for incoming pod'];
    for (const placed of lower) cluster.remove(placed);
    view.refresh();
    const reasons = view.objection(node)?.reasons ?? [];
    for (const placed of lower) cluster.restore(placed);
    view.refresh();
    return reasons.map(({ text }) => text);
  };
  return fitError(present.length, present.flatMap(reasonsOn));
}
