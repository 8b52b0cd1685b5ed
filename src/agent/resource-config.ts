// Requests and limits as cgroup settings and OOM scores. Pure.
// https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#node-out-of-memory-behavior
import type { Container, Pod, ResourceRequirements } from '../kube/api-types.ts';
import { effectiveRequests, isSidecar, qosClassOf } from '../kube/pod.ts';
import { quantityMilli, quantityValue } from '../kube/quantity.ts';
import type { CgroupResources } from '../machine/model/sandbox.ts';
import { allContainers, appContainers, initContainers } from './container-instances.ts';

export function containerResources(resources: ResourceRequirements | undefined): CgroupResources {
  const { limits, requests } = resources ?? {};
  const cpuRequest = requests?.cpu ?? limits?.cpu;
  return {
    ...(cpuRequest === undefined ? {} : { cpuRequestMilli: quantityMilli(cpuRequest) }),
    ...(limits?.cpu === undefined ? {} : { cpuLimitMilli: quantityMilli(limits.cpu) }),
    ...(limits?.memory === undefined ? {} : { memoryLimitBytes: quantityValue(limits.memory) }),
  };
}

/** The pod's cgroup: limits only where every container has one (or the pod itself), as the kubelet does. */
export function podResources(pod: Pod): CgroupResources {
  const spec = pod.spec;
  if (spec === undefined) return {};
  const requests = effectiveRequests(spec);
  const cpuLimitMilli = podLimit(pod, 'cpuLimitMilli');
  const memoryLimitBytes = podLimit(pod, 'memoryLimitBytes');
  return {
    ...(requests.cpu === undefined ? {} : { cpuRequestMilli: requests.cpu }),
    ...(cpuLimitMilli === undefined ? {} : { cpuLimitMilli }),
    ...(memoryLimitBytes === undefined ? {} : { memoryLimitBytes }),
  };
}

function podLimit(pod: Pod, which: 'cpuLimitMilli' | 'memoryLimitBytes'): number | undefined {
  const ofPod = containerResources(pod.spec?.resources)[which];
  const overhead = containerResources({ limits: pod.spec?.overhead ?? {} })[which] ?? 0;
  if (ofPod !== undefined) return ofPod + overhead;
  const limitOf = (container: Container): number | undefined =>
    containerResources(container.resources)[which];
  if (allContainers(pod).some((container) => limitOf(container) === undefined)) return undefined;
  const sum = (containers: readonly Container[]): number =>
    containers.reduce((total, container) => total + (limitOf(container) ?? 0), 0);
  let sidecars = 0;
  let peak = 0;
  for (const container of initContainers(pod)) {
    const own = sidecars + (limitOf(container) ?? 0);
    peak = Math.max(peak, own);
    if (isSidecar(container)) sidecars = own;
  }
  return Math.max(peak, sidecars + sum(appContainers(pod))) + overhead;
}

/**
 * Guaranteed -997, BestEffort 1000, Burstable 1000 - 1000 * request / node memory, kept within 3..999; a sidecar's is
 * never above that of the app container that asks for least (KEP-753: it must not die before them).
 */
export function oomScoreAdj(pod: Pod, container: Container, nodeMemoryBytes: number): number {
  if (pod.spec === undefined) return 1000;
  const qos = qosClassOf(pod.spec);
  if (qos === 'Guaranteed') return -997;
  if (qos === 'BestEffort') return 1000;
  const scoreOf = (one: Container): number => {
    const request = one.resources?.requests?.memory ?? one.resources?.limits?.memory ?? 0;
    const score = Math.floor(1000 - (1000 * quantityValue(request)) / nodeMemoryBytes);
    return Math.min(999, Math.max(3, score));
  };
  if (!initContainers(pod).includes(container) || !isSidecar(container)) return scoreOf(container);
  return Math.min(scoreOf(container), ...appContainers(pod).map(scoreOf));
}
