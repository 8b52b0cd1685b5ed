// What resources mean in the files of a control group, of either version.
import type { CgroupResources } from '../model/sandbox.ts';

/** The kubelet's MilliCPUToShares: cgroup v1 cpu.shares. */
export const cpuShares = (milli: number): number =>
  Math.min(262144, Math.max(2, Math.floor((milli * 1024) / 1000)));
/** cgroup v2 cpu.weight (1..10000) of v1 shares (2..262144), as the OCI runtimes convert it. */
export const cpuWeight = (shares: number): number => 1 + Math.floor(((shares - 2) * 9999) / 262142);
export const CPU_PERIOD_US = 100_000;
/** The kubelet's MilliCPUToQuota; the kernel takes no quota below 1 ms. */
export const cpuQuota = (milli: number): number => Math.max(1000, Math.floor((milli * CPU_PERIOD_US) / 1000));

export type Setting = readonly [controller: string, file: string, value: string];

export function settingsV1(resources: CgroupResources): Setting[] {
  const { cpuRequestMilli, cpuLimitMilli, memoryLimitBytes, pidsLimit } = resources;
  const settings: Setting[] = [['cpu', 'cpu.shares', String(cpuShares(cpuRequestMilli ?? 0))]];
  if (cpuLimitMilli !== undefined) {
    settings.push(['cpu', 'cpu.cfs_period_us', String(CPU_PERIOD_US)]);
    settings.push(['cpu', 'cpu.cfs_quota_us', String(cpuQuota(cpuLimitMilli))]);
  }
  if (memoryLimitBytes !== undefined)
    settings.push(['memory', 'memory.limit_in_bytes', String(memoryLimitBytes)]);
  if (pidsLimit !== undefined) settings.push(['pids', 'pids.max', String(pidsLimit)]);
  return settings;
}

export function settingsV2(resources: CgroupResources): Setting[] {
  const { cpuRequestMilli, cpuLimitMilli, memoryLimitBytes, pidsLimit } = resources;
  const settings: Setting[] = [['cpu', 'cpu.weight', String(cpuWeight(cpuShares(cpuRequestMilli ?? 0)))]];
  if (cpuLimitMilli !== undefined)
    settings.push(['cpu', 'cpu.max', `${cpuQuota(cpuLimitMilli)} ${CPU_PERIOD_US}`]);
  if (memoryLimitBytes !== undefined) settings.push(['memory', 'memory.max', String(memoryLimitBytes)]);
  if (pidsLimit !== undefined) settings.push(['pids', 'pids.max', String(pidsLimit)]);
  return settings;
}
