// A scheduling profile: which plug-ins speak for the pods of one schedulerName, and with what weight (the parts of
// KubeSchedulerConfiguration that matter here: https://kubernetes.io/docs/reference/scheduling/config/#profiles).
import type { PluginName } from './plugin-name.ts';

export type ResourceWeight = { readonly name: string; readonly weight: number };

export type ScoringStrategy = {
  readonly type: 'LeastAllocated' | 'MostAllocated' | 'RequestedToCapacityRatio';
  readonly resources: readonly ResourceWeight[];
  /** Of RequestedToCapacityRatio: utilization 0..100 to score 0..10, rising in utilization. */
  readonly shape?: readonly { readonly utilization: number; readonly score: number }[] | undefined;
};

export type Profile = {
  readonly schedulerName: string;
  /** Weight 0: not asked for a score. Absent: kube-scheduler's own weight. */
  readonly weights?: Partial<Readonly<Record<PluginName, number>>> | undefined;
  readonly disabled?: readonly PluginName[] | undefined;
  readonly scoringStrategy?: ScoringStrategy | undefined;
  /** What a required affinity of a pod that is there counts for a pod that comes. */
  readonly hardPodAffinityWeight?: number | undefined;
};

export const DEFAULT_SCHEDULER_NAME = 'default-scheduler';
export const DEFAULT_PROFILE: Profile = { schedulerName: DEFAULT_SCHEDULER_NAME };

export const DEFAULT_STRATEGY: ScoringStrategy = {
  type: 'LeastAllocated',
  resources: [
    { name: 'cpu', weight: 1 },
    { name: 'memory', weight: 1 },
  ],
};

/** kube-scheduler's default weights. */
const WEIGHTS: Readonly<Record<PluginName, number>> = {
  NodeUnschedulable: 0,
  NodeName: 0,
  TaintToleration: 3,
  NodeAffinity: 2,
  NodePorts: 0,
  NodeResourcesFit: 1,
  VolumeRestrictions: 0,
  VolumeBinding: 0,
  PodTopologySpread: 2,
  InterPodAffinity: 2,
  NodeResourcesBalancedAllocation: 1,
  ImageLocality: 1,
};

export function weightOf({ weights }: Profile, name: PluginName): number {
  return weights?.[name] ?? WEIGHTS[name];
}
