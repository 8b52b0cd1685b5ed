// What pods have taken of what the node is short of. Disks are only counted where the disk is short.
import type { Pod } from '../../kube/api-types.ts';
import type { StarvedResource } from '../../kube/eviction-thresholds.ts';
import type { Machine } from '../../machine/machine.ts';
import type { GroupUsage, PodDiskUsage } from '../../machine/model/usage.ts';
import { podIdentity } from '../container-config.ts';
import { allContainers } from '../container-instances.ts';
import type { PodUse } from './ranking.ts';
import type { ContainerUse } from './words.ts';

export type Measured = { readonly use: PodUse; readonly containers: readonly ContainerUse[] };

const workingSet = (group: GroupUsage | undefined): number =>
  group === undefined ? 0 : group.memoryBytes - group.inactiveFileBytes;

export async function measurePods(
  machine: Machine,
  pods: readonly Pod[],
  resource: StarvedResource,
): Promise<readonly Measured[]> {
  const isDisk = resource === 'ephemeral-storage' || resource === 'inodes';
  const measured: Measured[] = [];
  for (const pod of pods) {
    const { uid } = podIdentity(pod);
    const disk = isDisk ? await machine.podDisk(uid) : { containers: [], volumes: [] };
    measured.push(measuredOf(machine, pod, disk));
  }
  return measured;
}

function measuredOf(machine: Machine, pod: Pod, disk: PodDiskUsage): Measured {
  const { uid } = podIdentity(pod);
  const { group, containers } = machine.podUsage(uid);
  const instances = machine.observe(uid).containers;
  const all = [...disk.containers, ...disk.volumes];
  const groupOf = (name: string): GroupUsage | undefined =>
    containers.find(({ id }) => instances.some((one) => one.id === id && one.name === name))?.group;
  return {
    use: {
      pod,
      memoryBytes: workingSet(group),
      processes: group?.processes ?? 0,
      diskBytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
      inodes: all.reduce((sum, { inodes }) => sum + inodes, 0),
    },
    containers: allContainers(pod).map(({ name }) => ({
      name,
      memoryBytes: workingSet(groupOf(name)),
      diskBytes: disk.containers.find((one) => one.name === name)?.bytes ?? 0,
    })),
  };
}
