// A pod that takes more of the node's disk than it said it would is evicted: emptyDir sizeLimit, ephemeral-storage limits
// of the pod and of its containers. Pure, in the kubelet's order and words.
// https://kubernetes.io/docs/concepts/storage/ephemeral-storage/#resource-emphemeralstorage-consumption
import type { Pod, ResourceRequirements } from '../../kube/api-types.ts';
import { isSidecar, resourceAmounts } from '../../kube/pod.ts';
import { quantityValue } from '../../kube/quantity.ts';
import type { PodDiskUsage } from '../../machine/model/usage.ts';
import { binaryText } from './words.ts';

const STORAGE = 'ephemeral-storage';

/** Whether anything of the pod's disk is bounded: only then is it measured. */
export function hasDiskLimit({ spec }: Pod): boolean {
  const containers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])];
  return (
    containers.some(({ resources }) => resources?.limits?.[STORAGE] !== undefined) ||
    (spec?.volumes ?? []).some(({ emptyDir }) => emptyDir?.sizeLimit !== undefined)
  );
}

/** The message of its eviction; undefined while it keeps to its limits. */
export function brokenDiskLimit(pod: Pod, usage: PodDiskUsage): string | undefined {
  return brokenVolume(pod, usage) ?? brokenPod(pod, usage) ?? brokenContainer(pod, usage);
}

function brokenVolume({ spec }: Pod, { volumes }: PodDiskUsage): string | undefined {
  const broken = (spec?.volumes ?? []).find(({ name, emptyDir }) => {
    const limit = emptyDir?.sizeLimit === undefined ? 0 : quantityValue(emptyDir.sizeLimit);
    const used = volumes.find((one) => one.name === name)?.bytes ?? 0;
    return limit > 0 && used > limit;
  });
  if (broken === undefined) return undefined;
  return `Usage of EmptyDir volume "${broken.name}" exceeds the limit "${broken.emptyDir?.sizeLimit}". `;
}

/** Where any container has a limit, all that have one bound the pod together. */
function brokenPod({ spec }: Pod, { containers, volumes }: PodDiskUsage): string | undefined {
  const limitOf = (resources: ResourceRequirements | undefined): number =>
    resourceAmounts(resources?.limits)[STORAGE] ?? 0;
  const lasting = [...(spec?.containers ?? []), ...(spec?.initContainers ?? []).filter(isSidecar)];
  const once = (spec?.initContainers ?? []).filter((one) => !isSidecar(one));
  const together = lasting.reduce((sum, { resources }) => sum + limitOf(resources), 0);
  const limit = Math.max(together, ...once.map(({ resources }) => limitOf(resources)));
  const used = [...containers, ...volumes].reduce((sum, { bytes }) => sum + bytes, 0);
  if (limit === 0 || used <= limit) return undefined;
  return `Pod ephemeral local storage usage exceeds the total limit of containers ${binaryText(limit)}. `;
}

function brokenContainer({ spec }: Pod, { containers }: PodDiskUsage): string | undefined {
  for (const { name, resources } of spec?.containers ?? []) {
    const limit = resources?.limits?.[STORAGE];
    const used = containers.find((one) => one.name === name)?.bytes ?? 0;
    if (limit !== undefined && quantityValue(limit) > 0 && used > quantityValue(limit))
      return `Container ${name} exceeded its local ephemeral storage limit "${limit}". `;
  }
  return undefined;
}
