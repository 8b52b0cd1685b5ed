// The kubelet's /stats/summary (stats/v1alpha1): what monitoring reads of a node and its pods. Left out, as the kubelet
// may: what nobody measures here (how full a container's own layer and a volume are, accelerators, swap).
import type { FsUsage, NetworkUsage } from '../machine/model/usage.ts';
import {
  type MeteredContainer,
  type MeteredGroup,
  type MeteredPod,
  type Usage,
  workingSetOf,
} from './usage-meter.ts';

type Json = { readonly [key: string]: unknown };

export function statsSummary(nodeName: string, usage: Usage): Json {
  const { node, pods, atMs } = usage;
  const time = timeOf(atMs);
  const fs = { time, ...fsStats(node.fs) };
  const memory = {
    ...memoryStats(node.group),
    availableBytes: node.memoryCapacityBytes - workingSetOf(node.group),
  };
  return {
    node: {
      nodeName,
      startTime: timeOf(node.bootedAtMs),
      cpu: { time, ...cpuStats(node.group) },
      memory: { time, ...memory },
      network: { time, ...networkStats(node.network) },
      fs,
      runtime: { imageFs: fs, containerFs: fs },
      rlimit: { time, maxpid: node.pidsMax, curproc: node.group.processes },
    },
    pods: pods.map((pod) => podStats(pod, usage)),
  };
}

function podStats({ pod, group, containers, network }: MeteredPod, usage: Usage): Json {
  const time = timeOf(usage.atMs);
  const { name, namespace, uid } = pod.metadata ?? {};
  return {
    podRef: { name, namespace, uid },
    startTime: pod.status?.startTime ?? time,
    containers: containers.map((container) => containerStats(container, usage)),
    ...(group === undefined
      ? {}
      : {
          cpu: { time, ...cpuStats(group) },
          memory: { time, ...memoryStats(group) },
          process_stats: { process_count: group.processes },
        }),
    ...(network.length === 0 ? {} : { network: { time, ...networkStats(network) } }),
  };
}

function containerStats(
  { name, startedAtMs, group, logBytes }: MeteredContainer,
  { atMs, node }: Usage,
): Json {
  const time = timeOf(atMs);
  const { usedBytes: _ofAll, ...fs } = fsStats(node.fs);
  return {
    name,
    startTime: timeOf(startedAtMs),
    cpu: { time, ...cpuStats(group) },
    memory: { time, ...memoryStats(group) },
    rootfs: { time, ...fs },
    logs: { time, ...fs, usedBytes: logBytes },
  };
}

const timeOf = (ms: number): string => new Date(ms).toISOString();

function cpuStats({ cpuNanoCores, cpuNanoseconds }: MeteredGroup): Json {
  return { usageNanoCores: cpuNanoCores, usageCoreNanoSeconds: cpuNanoseconds };
}

function memoryStats(group: MeteredGroup): Json {
  return {
    usageBytes: group.memoryBytes,
    workingSetBytes: workingSetOf(group),
    rssBytes: group.residentBytes,
    pageFaults: group.pageFaults,
    majorPageFaults: group.majorPageFaults,
  };
}

function fsStats({ availableBytes, capacityBytes, usedBytes, inodes, inodesFree }: FsUsage): Json {
  return { availableBytes, capacityBytes, usedBytes, inodes, inodesFree, inodesUsed: inodes - inodesFree };
}

function networkStats(interfaces: readonly NetworkUsage[]): Json {
  const stats = interfaces.map(({ name, rxBytes, rxErrors, txBytes, txErrors }) => {
    return { name, rxBytes, rxErrors, txBytes, txErrors };
  });
  // The first is the default one, as the kubelet's summary has it: beside the list.
  return { ...stats[0], interfaces: stats };
}
