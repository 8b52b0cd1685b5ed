// What groups, pods and the node use, as the kernel counts it.
import type { ContainerId } from '../../base/brand.ts';

/** Totals of a control group and all below. */
export type GroupUsage = {
  readonly cpuNanoseconds: number;
  /** With the page cache. */
  readonly memoryBytes: number;
  /** What of it the kernel gives up first: usage without it is the working set. */
  readonly inactiveFileBytes: number;
  readonly residentBytes: number;
  readonly pageFaults: number;
  readonly majorPageFaults: number;
  readonly processes: number;
};

export type NetworkUsage = {
  /** The interface: "eth0". */
  readonly name: string;
  readonly rxBytes: number;
  readonly rxErrors: number;
  readonly txBytes: number;
  readonly txErrors: number;
};

export type FsUsage = {
  readonly capacityBytes: number;
  readonly availableBytes: number;
  readonly usedBytes: number;
  readonly inodes: number;
  readonly inodesFree: number;
};

/** Of the running containers; what ends while it is read is left out. */
export type PodUsage = {
  readonly group: GroupUsage | undefined;
  readonly containers: readonly {
    readonly id: ContainerId;
    readonly group: GroupUsage;
    readonly logBytes: number;
  }[];
  /** Of the pod's own network; empty where it has the node's. */
  readonly network: readonly NetworkUsage[];
};

export type DiskUse = { readonly bytes: number; readonly inodes: number };

/** What a pod has written to the node's disk. */
export type PodDiskUsage = {
  /** Writable layers and logs, of all instances of a container. */
  readonly containers: readonly ({ readonly name: string } & DiskUse)[];
  /** emptyDirs on disk. */
  readonly volumes: readonly ({ readonly name: string } & DiskUse)[];
};

export type NodeUsage = {
  readonly group: GroupUsage;
  readonly memoryCapacityBytes: number;
  readonly pidsMax: number;
  readonly bootedAtMs: number;
  readonly network: readonly NetworkUsage[];
  /** Where pods and images are. */
  readonly fs: FsUsage;
};
