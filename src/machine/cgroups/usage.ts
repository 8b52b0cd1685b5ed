// What pods and the machine have used, read from the kernel when asked: cgroups v1, v2 and hybrid trees, /proc. Totals
// only; a rate is the difference of two, which is not made here.
import { readFileSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { FsUsage, GroupUsage, NetworkUsage, NodeUsage } from '../model/usage.ts';
import type { CgroupLayout } from './layout.ts';

/** Undefined where there is no such file: the group is going, or its controller is not there. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** "name value" or "name: value kB" lines, as numbers. */
function fields(text: string): ReadonlyMap<string, number> {
  const lines = text.split('\n').map((line) => line.split(/:?\s+/));
  return new Map(lines.map(([name = '', value]) => [name, Number(value)]));
}

function usageV1(layout: CgroupLayout, path: string): GroupUsage | undefined {
  const file = (controller: string, name: string): string | undefined => {
    const root = layout.v1.get(controller);
    return root === undefined ? undefined : read(join(root, path, name));
  };
  const cpu = file('cpuacct', 'cpuacct.usage');
  const memory = file('memory', 'memory.usage_in_bytes');
  if (cpu === undefined || memory === undefined) return undefined;
  const stat = fields(file('memory', 'memory.stat') ?? '');
  return {
    cpuNanoseconds: Number(cpu),
    memoryBytes: Number(memory),
    inactiveFileBytes: stat.get('total_inactive_file') ?? 0,
    residentBytes: stat.get('total_rss') ?? 0,
    pageFaults: stat.get('total_pgfault') ?? 0,
    majorPageFaults: stat.get('total_pgmajfault') ?? 0,
    processes: Number(file('pids', 'pids.current') ?? 0),
  };
}

function usageV2(root: string, path: string): GroupUsage | undefined {
  const file = (name: string): string | undefined => read(join(root, path, name));
  const cpu = file('cpu.stat');
  const memory = file('memory.current');
  if (cpu === undefined || memory === undefined) return undefined;
  const stat = fields(file('memory.stat') ?? '');
  return {
    cpuNanoseconds: (fields(cpu).get('usage_usec') ?? 0) * 1000,
    memoryBytes: Number(memory),
    inactiveFileBytes: stat.get('inactive_file') ?? 0,
    residentBytes: stat.get('anon') ?? 0,
    pageFaults: stat.get('pgfault') ?? 0,
    majorPageFaults: stat.get('pgmajfault') ?? 0,
    processes: Number(file('pids.current') ?? 0),
  };
}

/** Of a group and all below; undefined when it is gone. */
export function groupUsage(layout: CgroupLayout, path: string): GroupUsage | undefined {
  if (layout.version !== 'v2') return usageV1(layout, path);
  return layout.unified === undefined ? undefined : usageV2(layout.unified, path);
}

/** The interfaces of the network namespace a process is in (proc_pid_net(5)), without loopback. */
export function networkUsage(pid: number | 'self'): readonly NetworkUsage[] {
  const lines = (read(`/proc/${pid}/net/dev`) ?? '').split('\n').slice(2);
  return lines.flatMap((line) => {
    const [name, ...numbers] = line.trim().split(/:?\s+/);
    if (name === undefined || name === '' || name === 'lo') return [];
    const [rxBytes = 0, , rxErrors = 0] = numbers.map(Number);
    const [txBytes = 0, , txErrors = 0] = numbers.slice(8).map(Number);
    return [{ name, rxBytes, rxErrors, txBytes, txErrors }];
  });
}

export function fsUsage(path: string): FsUsage {
  const { bsize, blocks, bfree, bavail, files, ffree } = statfsSync(path);
  return {
    capacityBytes: blocks * bsize,
    availableBytes: bavail * bsize,
    usedBytes: (blocks - bfree) * bsize,
    inodes: files,
    inodesFree: ffree,
  };
}

export function fileBytes(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** The kernel counts a processor's time in hundredths of a second for user space (proc_stat(5)). */
const TICK_NANOSECONDS = 10_000_000;

/** Of everything on the machine, whoever runs it. */
export function nodeUsage(fsPath: string): NodeUsage {
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] =
    (read('/proc/stat') ?? '').split('\n', 1)[0]?.split(/\s+/).map(Number) ?? [];
  const memory = fields(read('/proc/meminfo') ?? '');
  const bytes = (name: string): number => (memory.get(name) ?? 0) * 1024;
  const vm = fields(read('/proc/vmstat') ?? '');
  return {
    group: {
      cpuNanoseconds: (user + nice + system + irq + softirq) * TICK_NANOSECONDS,
      memoryBytes: bytes('MemTotal') - bytes('MemFree'),
      inactiveFileBytes: bytes('Inactive(file)'),
      residentBytes: bytes('AnonPages'),
      pageFaults: vm.get('pgfault') ?? 0,
      majorPageFaults: vm.get('pgmajfault') ?? 0,
      processes: Number(/\/(\d+)/.exec(read('/proc/loadavg') ?? '')?.[1] ?? 0),
    },
    memoryCapacityBytes: bytes('MemTotal'),
    pidsMax: Number(read('/proc/sys/kernel/pid_max') ?? 0),
    bootedAtMs: (fields(read('/proc/stat') ?? '').get('btime') ?? 0) * 1000,
    network: networkUsage('self'),
    fs: fsUsage(fsPath),
  };
}
