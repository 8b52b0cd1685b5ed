// The scheduler's plug-ins, named and worded as kube-scheduler's. A filter returns why a node cannot take the pod (the
// reasons that end up in the FailedScheduling event), a score returns 0..100. All pure.
// https://kubernetes.io/docs/reference/scheduling/config/#scheduling-plugins
import type { Pod, Taint, Toleration } from '../kube/api-types.ts';
import { effectiveRequests, type ResourceAmounts } from '../kube/pod.ts';
import { type HostPort, hostPortsOf, type NodeInfo } from './node-info.ts';

/** What of the pod the plug-ins look at, computed once per attempt (PreFilter). */
export type PodInfo = {
  readonly pod: Pod;
  readonly requests: ResourceAmounts;
  readonly hostPorts: readonly HostPort[];
};

export function podInfoOf(pod: Pod): PodInfo {
  return {
    pod,
    requests: pod.spec === undefined ? {} : effectiveRequests(pod.spec),
    hostPorts: hostPortsOf(pod),
  };
}

export type FilterPlugin = {
  readonly name: string;
  /** Reasons against the node; none means it fits. */
  filter(pod: PodInfo, node: NodeInfo): readonly string[];
};

const UNSCHEDULABLE_TAINT: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };

function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  return toleration.operator === 'Exists' || (toleration.value ?? '') === (taint.value ?? '');
}

const isTolerated = ({ pod }: PodInfo, taint: Taint): boolean =>
  (pod.spec?.tolerations ?? []).some((toleration) => tolerates(toleration, taint));

function conflicts(a: HostPort, b: HostPort): boolean {
  const sameAddress = a.hostIP === b.hostIP || a.hostIP === '0.0.0.0' || b.hostIP === '0.0.0.0';
  return sameAddress && a.protocol === b.protocol && a.port === b.port;
}

export const FILTERS: readonly FilterPlugin[] = [
  {
    name: 'NodeUnschedulable',
    filter: (pod, { node }) =>
      node.spec?.unschedulable === true && !isTolerated(pod, UNSCHEDULABLE_TAINT)
        ? ['node(s) were unschedulable']
        : [],
  },
  {
    name: 'TaintToleration',
    filter(pod, { node }) {
      const taint = (node.spec?.taints ?? []).find(
        (one) => (one.effect === 'NoSchedule' || one.effect === 'NoExecute') && !isTolerated(pod, one),
      );
      return taint === undefined
        ? []
        : [`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`];
    },
  },
  {
    name: 'NodeAffinity',
    filter({ pod }, { node }) {
      const labels = node.metadata?.labels ?? {};
      const matches = Object.entries(pod.spec?.nodeSelector ?? {}).every(
        ([key, value]) => labels[key] === value,
      );
      return matches ? [] : ["node(s) didn't match Pod's node affinity/selector"];
    },
  },
  {
    name: 'NodePorts',
    filter: ({ hostPorts }, node) =>
      hostPorts.some((wanted) => node.hostPorts.some((taken) => conflicts(wanted, taken)))
        ? ["node(s) didn't have free ports for the requested pod ports"]
        : [],
  },
  {
    name: 'NodeResourcesFit',
    filter({ requests }, { allocatable, requested, podCount }) {
      const tooManyPods = podCount + 1 > (allocatable.pods ?? Number.POSITIVE_INFINITY);
      const short = Object.entries(requests).filter(
        ([name, amount]) => amount > 0 && amount > (allocatable[name] ?? 0) - (requested[name] ?? 0),
      );
      return [...(tooManyPods ? ['Too many pods'] : []), ...short.map(([name]) => `Insufficient ${name}`)];
    },
  },
];

/** NodeResourcesFit's LeastAllocated: the mean of the free fractions of cpu and memory after the pod is placed. */
export function leastAllocatedScore({ requests }: PodInfo, { allocatable, requested }: NodeInfo): number {
  const freeFractions = ['cpu', 'memory'].map((name) => {
    const capacity = allocatable[name] ?? 0;
    if (capacity === 0) return 0;
    return Math.max(0, capacity - (requested[name] ?? 0) - (requests[name] ?? 0)) / capacity;
  });
  return (100 * freeFractions.reduce((sum, fraction) => sum + fraction, 0)) / freeFractions.length;
}
