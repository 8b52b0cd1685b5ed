// In-place resize of cpu and memory (KEP-1287): what of a pod's containers differs from what they have, and whether the
// node can give it. Pure.
import type { Container, Pod } from '../kube/api-types.ts';
import { effectiveRequests } from '../kube/pod.ts';
import type { CgroupResources } from '../machine/model/sandbox.ts';
import { allContainers, type Instance, isRunning, lastRunOf } from './container-instances.ts';
import type { Observed } from './observed.ts';
import { containerResources, podResources } from './resource-config.ts';

const FIELDS = ['cpuRequestMilli', 'cpuLimitMilli', 'memoryLimitBytes'] as const;

function changedFields(container: Container, { resources }: Instance): readonly (typeof FIELDS)[number][] {
  // Made by an engine that did not note it: it has what it was made with.
  if (resources === undefined) return [];
  const wanted: CgroupResources = containerResources(container.resources);
  return FIELDS.filter((field) => wanted[field] !== resources[field]);
}

/** Whether the running instance has other resources than the spec says, and how they are changed. */
export function resizeOf(container: Container, instance: Instance): 'none' | 'update' | 'restart' {
  const changed = changedFields(container, instance);
  if (changed.length === 0) return 'none';
  const names = changed.map((field) => (field === 'memoryLimitBytes' ? 'memory' : 'cpu'));
  const isRestart = container.resizePolicy?.some(
    ({ resourceName, restartPolicy }) =>
      restartPolicy === 'RestartContainer' && names.some((name) => name === resourceName),
  );
  return isRestart === true ? 'restart' : 'update';
}

/** The pod-level resources are not yet what the pod's cgroup is set to (KEP-5419). */
export function isPodResizing(pod: Pod, { sandboxes }: Pick<Observed, 'sandboxes'>): boolean {
  const newest = sandboxes.at(-1);
  if (newest?.state.kind !== 'ready' || newest.podResources === undefined) return false;
  if (pod.spec?.resources === undefined) return false;
  const wanted = podResources(pod);
  return FIELDS.some((field) => wanted[field] !== newest.podResources?.[field]);
}

/** Whether anything of the pod is to be resized. */
export function isResizing(pod: Pod, observed: Pick<Observed, 'containers' | 'sandboxes'>): boolean {
  return isPodResizing(pod, observed) || resizing(pod, observed).length > 0;
}

/** Names of the running containers whose resources are not yet what the spec says. */
function resizing(pod: Pod, observed: Pick<Observed, 'containers'>): readonly string[] {
  return allContainers(pod)
    .filter((container) => {
      const last = lastRunOf(observed, container.name);
      return last !== undefined && isRunning(last) && resizeOf(container, last) !== 'none';
    })
    .map(({ name }) => name);
}

export type Refusal = { readonly reason: 'Infeasible' | 'Deferred'; readonly message: string };

/** Infeasible: more than the node has; Deferred: more than others leave. Undefined: it may be done. */
export function refusalOf(pod: Pod, { notes }: Observed): Refusal | undefined {
  const { allocatable } = notes.node;
  if (pod.spec === undefined || allocatable === undefined) return undefined;
  const { cpu = 0, memory = 0 } = effectiveRequests(pod.spec);
  const { cpu: othersCpu = 0, memory: othersMemory = 0 } = notes.requestsOfOthers ?? {};
  const wishes = [
    { name: 'cpu', wanted: cpu, all: allocatable.cpuMilli, free: allocatable.cpuMilli - othersCpu },
    {
      name: 'memory',
      wanted: memory,
      all: allocatable.memoryBytes,
      free: allocatable.memoryBytes - othersMemory,
    },
  ];
  const never = wishes.find(({ wanted, all }) => wanted > all);
  if (never !== undefined) {
    const { name, wanted, all } = never;
    const message = `Node didn't have enough capacity: ${name}, requested: ${wanted}, capacity: ${all}`;
    return { reason: 'Infeasible', message };
  }
  const later = wishes.find(({ wanted, free }) => wanted > free);
  if (later === undefined) return undefined;
  return { reason: 'Deferred', message: `Node didn't have enough resource: ${later.name}` };
}
