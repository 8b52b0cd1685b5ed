// Which pod goes first when the node runs out of something, and which goes for itself because it took more of the disk
// than it may. Pure; the kubelet's order: usage above the request, then priority, then how far above.
// https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#pod-selection-for-kubelet-eviction
import type { Pod } from '../../kube/api-types.ts';
import type { StarvedResource } from '../../kube/eviction-thresholds.ts';
import { effectiveRequests } from '../../kube/pod.ts';

/** What a pod has taken of what may run out. */
export type PodUse = {
  readonly pod: Pod;
  readonly memoryBytes: number;
  readonly processes: number;
  readonly diskBytes: number;
  readonly inodes: number;
};

const usedOf = (use: PodUse, resource: StarvedResource): number => {
  switch (resource) {
    case 'memory':
      return use.memoryBytes;
    case 'ephemeral-storage':
      return use.diskBytes;
    case 'inodes':
      return use.inodes;
    case 'pids':
      return use.processes;
  }
};

/** Nobody asks for inodes or processes: whatever is used of them is above the request. */
function requestOf({ spec }: Pod, resource: StarvedResource): number {
  if (spec === undefined || (resource !== 'memory' && resource !== 'ephemeral-storage')) return 0;
  return effectiveRequests(spec)[resource] ?? 0;
}

/** kubelet's IsCriticalPod: never evicted by it. */
export function isCritical({ spec, metadata }: Pod): boolean {
  const SYSTEM_CRITICAL_PRIORITY = 2_000_000_000;
  const isStatic = metadata?.annotations?.['kubernetes.io/config.mirror'] !== undefined;
  return isStatic || (spec?.priority ?? 0) >= SYSTEM_CRITICAL_PRIORITY;
}

/** The first is to go first. */
export function rankForEviction(uses: readonly PodUse[], resource: StarvedResource): readonly PodUse[] {
  const above = (use: PodUse): number => usedOf(use, resource) - requestOf(use.pod, resource);
  // Processes are counted for everybody alike: whoever has some is above its request.
  const isAbove = (use: PodUse): number => (resource !== 'pids' && above(use) > 0 ? 1 : 0);
  const priority = ({ pod }: PodUse): number => pod.spec?.priority ?? 0;
  return [...uses].sort(
    (a, b) => isAbove(b) - isAbove(a) || priority(a) - priority(b) || above(b) - above(a),
  );
}
