// NodeResourcesFit and NodeResourcesBalancedAllocation: room for the pod as a whole, and how well it uses the node.
// Integer arithmetic as in kube-scheduler (pkg/scheduler/framework/plugins/noderesources): scores are whole numbers.
import type { Cluster } from '../cluster.ts';
import type { Plugin, Reason } from '../framework.ts';
import type { PodClass } from '../pod-class.ts';
import { DEFAULT_STRATEGY, type ScoringStrategy } from '../profile.ts';
import type { Remedy } from '../remedy.ts';

/** One resource as a score sees it: what is there, what is used, and what the pod would add. */
type Scored = {
  readonly allocatable: Float64Array;
  readonly used: Float64Array;
  readonly added: number;
  readonly weight: number;
};

function columnsOf(podClass: PodClass, cluster: Cluster) {
  return Object.entries(podClass.requests).map(([name, amount]) => ({
    name,
    amount,
    ...cluster.resource(name),
  }));
}

function scoredResources(podClass: PodClass, cluster: Cluster, strategy: ScoringStrategy): readonly Scored[] {
  return strategy.resources.flatMap(({ name, weight }) => {
    const { allocatable, requested } = cluster.resource(name);
    // RequestedToCapacityRatio looks at real requests, the other two fill in defaults.
    const assumes = strategy.type !== 'RequestedToCapacityRatio';
    if (assumes && name === 'cpu')
      return [{ allocatable, used: cluster.scoredCpuMilli, added: podClass.scoredCpuMilli, weight }];
    if (assumes && name === 'memory')
      return [{ allocatable, used: cluster.scoredMemoryBytes, added: podClass.scoredMemoryBytes, weight }];
    const added = podClass.requests[name] ?? 0;
    // A pod that asks for none of an extended resource is not judged by it.
    if (added === 0 && name.includes('/')) return [];
    return [{ allocatable, used: requested, added, weight }];
  });
}

type Shape = NonNullable<ScoringStrategy['shape']>;
const DEFAULT_SHAPE: Shape = [
  { utilization: 0, score: 0 },
  { utilization: 100, score: 10 },
];

/** Utilization 0..100 to a score 0..100, straight lines between the points. */
function shapeFunction(shape: Shape): (utilization: number) => number {
  const points = shape.map(({ utilization, score }) => ({ utilization, score: score * 10 }));
  return (utilization) => {
    const above = points.findIndex((point) => utilization <= point.utilization);
    const next = points[above];
    if (next === undefined) return points.at(-1)?.score ?? 0;
    const before = points[above - 1];
    if (before === undefined) return next.score;
    const share = (utilization - before.utilization) / (next.utilization - before.utilization);
    return Math.trunc(before.score + (next.score - before.score) * share);
  };
}

/** The score 0..100 of one resource, given what would be used of how much. */
function resourceScore({ type, shape = DEFAULT_SHAPE }: ScoringStrategy) {
  const curve = shapeFunction(shape);
  return (used: number, capacity: number): number => {
    switch (type) {
      case 'LeastAllocated':
        return used > capacity ? 0 : Math.floor(((capacity - used) * 100) / capacity);
      case 'MostAllocated':
        return Math.floor((Math.min(used, capacity) * 100) / capacity);
      case 'RequestedToCapacityRatio':
        return curve(Math.min(100, Math.floor((used * 100) / capacity)));
    }
  };
}

function strategyScore(podClass: PodClass, cluster: Cluster, strategy: ScoringStrategy) {
  const scored = scoredResources(podClass, cluster, strategy);
  const scoreOf = resourceScore(strategy);
  const isRatio = strategy.type === 'RequestedToCapacityRatio';
  return (node: number): number => {
    let sum = 0;
    let weights = 0;
    for (const { allocatable, used, added, weight } of scored) {
      const capacity = allocatable[node] ?? 0;
      if (capacity === 0) continue;
      const score = scoreOf((used[node] ?? 0) + added, capacity);
      if (isRatio && score === 0) continue;
      sum += score * weight;
      weights += weight;
    }
    if (weights === 0) return 0;
    return isRatio ? Math.round(sum / weights) : Math.floor(sum / weights);
  };
}

export const nodeResourcesFit: Plugin = {
  name: 'NodeResourcesFit',
  prepare(podClass, { cluster, profile }) {
    const wanted = columnsOf(podClass, cluster);
    const { podCount } = cluster;
    const hasSlot = (node: number): boolean =>
      (podCount.requested[node] ?? 0) < (podCount.allocatable[node] ?? 0);
    return {
      scope: 'usage',
      filter: {
        fits(node) {
          if (!hasSlot(node)) return false;
          for (const { amount, allocatable, requested } of wanted) {
            if (amount > (allocatable[node] ?? 0) - (requested[node] ?? 0)) return false;
          }
          return true;
        },
        reasons(node) {
          const reasons: Reason[] = hasSlot(node)
            ? []
            : [{ text: 'Too many pods', isResolvable: (podCount.allocatable[node] ?? 0) > 0 }];
          for (const { name, amount, allocatable, requested } of wanted) {
            const total = allocatable[node] ?? 0;
            if (amount <= total - (requested[node] ?? 0)) continue;
            reasons.push({ text: `Insufficient ${name}`, isResolvable: amount <= total });
          }
          return reasons;
        },
        remedies(node) {
          const counted = { name: 'pods', amount: 1, ...podCount };
          return [counted, ...wanted].flatMap(
            ({ name, amount, allocatable, requested }): readonly Remedy[] => {
              const capacity = allocatable[node] ?? 0;
              const missing = amount - (capacity - (requested[node] ?? 0));
              return missing > 0 ? [{ kind: 'room', resource: name, missing, wanted: amount, capacity }] : [];
            },
          );
        },
      },
      score: { score: strategyScore(podClass, cluster, profile.scoringStrategy ?? DEFAULT_STRATEGY) },
    };
  },
};

export const nodeResourcesBalancedAllocation: Plugin = {
  name: 'NodeResourcesBalancedAllocation',
  prepare({ requests }, { cluster }) {
    const cpu = cluster.resource('cpu');
    const memory = cluster.resource('memory');
    const fraction = ({ allocatable, requested }: typeof cpu, node: number, added: number): number => {
      const capacity = allocatable[node] ?? 0;
      return capacity === 0 ? 0 : Math.min(1, ((requested[node] ?? 0) + added) / capacity);
    };
    const { cpu: cpuMilli = 0, memory: memoryBytes = 0 } = requests;
    return {
      scope: 'usage',
      score: {
        // The standard deviation of two fractions is half their distance; of one it is none.
        score(node) {
          if ((cpu.allocatable[node] ?? 0) === 0 || (memory.allocatable[node] ?? 0) === 0) return 100;
          const distance = Math.abs(fraction(cpu, node, cpuMilli) - fraction(memory, node, memoryBytes));
          return Math.floor((1 - distance / 2) * 100);
        },
      },
    };
  },
};
