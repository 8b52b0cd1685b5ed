// When the node is under pressure, and what is to be done about it first: thresholds against what is left. Pure: the state
// of one look goes into the next. The kubelet's rules (pkg/kubelet/eviction).
// https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/

import { leastOf, type Signal, type Threshold } from '../../kube/eviction-thresholds.ts';
import type { NodeUsage } from '../../machine/model/usage.ts';

export type Observation = { readonly available: number; readonly capacity: number };
export type Observations = { readonly [S in Signal]: Observation };

export type PressureCondition = 'MemoryPressure' | 'DiskPressure' | 'PIDPressure';

const CONDITIONS: { readonly [S in Signal]: PressureCondition } = {
  'memory.available': 'MemoryPressure',
  'nodefs.available': 'DiskPressure',
  'nodefs.inodesFree': 'DiskPressure',
  'imagefs.available': 'DiskPressure',
  'imagefs.inodesFree': 'DiskPressure',
  'pid.available': 'PIDPressure',
};

export type Pressure = {
  /** Since when each threshold has been met without a break. */
  readonly metSinceMs: ReadonlyMap<Threshold, number>;
  /** When each condition was last caused by a threshold. */
  readonly causedAtMs: ReadonlyMap<PressureCondition, number>;
};

export const NO_PRESSURE: Pressure = { metSinceMs: new Map(), causedAtMs: new Map() };

/** Pods, their layers and the images are on one file system: what is left of it is left for both. */
export function observationsOf({ group, memoryCapacityBytes, pidsMax, fs }: NodeUsage): Observations {
  const bytes = { available: fs.availableBytes, capacity: fs.capacityBytes };
  const inodes = { available: fs.inodesFree, capacity: fs.inodes };
  const workingSet = group.memoryBytes - group.inactiveFileBytes;
  return {
    'memory.available': { available: memoryCapacityBytes - workingSet, capacity: memoryCapacityBytes },
    'nodefs.available': bytes,
    'nodefs.inodesFree': inodes,
    'imagefs.available': bytes,
    'imagefs.inodesFree': inodes,
    'pid.available': { available: pidsMax - group.processes, capacity: pidsMax },
  };
}

/** A file system that counts no inodes (btrfs) has no capacity of them and never runs out. */
export function isMet(threshold: Threshold, observations: Observations): boolean {
  const { available, capacity } = observations[threshold.signal];
  return capacity > 0 && available < leastOf(threshold, capacity);
}

export function nextPressure(
  before: Pressure,
  thresholds: readonly Threshold[],
  { observations, nowMs }: { readonly observations: Observations; readonly nowMs: number },
): Pressure {
  const met = thresholds.filter((one) => isMet(one, observations));
  return {
    metSinceMs: new Map(met.map((one) => [one, before.metSinceMs.get(one) ?? nowMs])),
    causedAtMs: new Map([
      ...before.causedAtMs,
      ...met.map((one) => [CONDITIONS[one.signal], nowMs] as const),
    ]),
  };
}

/** A condition stays for the transition period after its cause has gone, so that it does not flap. */
export function conditionsOf(
  { causedAtMs }: Pressure,
  { nowMs, transitionMs }: { readonly nowMs: number; readonly transitionMs: number },
): ReadonlySet<PressureCondition> {
  return new Set(
    [...causedAtMs].filter(([, atMs]) => nowMs - atMs < transitionMs || nowMs === atMs).map(([one]) => one),
  );
}

/** The threshold to act upon: met for its grace, memory before all others. */
export function mostUrgent({ metSinceMs }: Pressure, nowMs: number): Threshold | undefined {
  const due = [...metSinceMs]
    .filter(([{ graceMs }, sinceMs]) => nowMs - sinceMs >= graceMs)
    .map(([one]) => one);
  return due.find(({ signal }) => signal === 'memory.available') ?? due[0];
}
