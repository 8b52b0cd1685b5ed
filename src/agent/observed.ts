// Everything planPod and podStatus look at beside the pod object: what the machine tells, and what this engine has
// noted since it started. The machine's part survives the engine; the notes do not, and need not: losing them costs a
// repeated step, never a wrong one.
import type { ContainerId } from '../base/brand.ts';
import type { ResourceAmounts } from '../kube/pod.ts';
import type { ObservedPod } from '../machine/machine.ts';
import type { ObservedContainer } from '../machine/model/container.ts';

/** How one action went the last times it ended, by its key (action.ts). */
export type Step = {
  /** Ends in a row with the same result kind, counted from 1. */
  readonly times: number;
  readonly atMs: number;
  /** Absent: it succeeded. Reason and message are the kubelet's. */
  readonly problem?: { readonly reason: string; readonly message: string } | undefined;
};

/** An image that is in the local store for one instance of one container. */
export type ReadyImage = {
  readonly reference: string;
  readonly attempt: number;
  readonly imageId: string;
  /** The image config's User, for runAsNonRoot. */
  readonly user: string;
  /** The image config's StopSignal. */
  readonly stopSignal?: string | undefined;
};

export type ProbeKind = 'startup' | 'liveness' | 'readiness';
/** What the last results in a row have come to; a probe not yet decided has none. */
export type ProbeVerdict = 'success' | 'failure';
export const probeKey = (kind: ProbeKind, id: ContainerId): string => `${kind} ${id}`;

export type Hook = 'postStart' | 'preStop';
/** Without a result it is under way. */
export type HookNote = {
  readonly startedAtMs: number;
  readonly result?: 'succeeded' | 'failed' | undefined;
};
export const hookKey = (hook: Hook, id: ContainerId): string => `${hook} ${id}`;

/** The node's word that the pod must go, or may not come. */
export type Eviction = {
  readonly reason: 'Evicted' | 'SysctlForbidden';
  readonly atMs: number;
  /** Instead of the pod's own grace. */
  readonly graceMs: number;
  /** The kubelet's. */
  readonly message: string;
  /** Whether the node's pressure is the reason, and not the pod's own limits. */
  readonly isDisruption: boolean;
};

export type Notes = {
  /** By container name. */
  readonly images: ReadonlyMap<string, ReadyImage>;
  readonly steps: ReadonlyMap<string, Step>;
  /** By probeKey(). */
  readonly probes: ReadonlyMap<string, ProbeVerdict>;
  /** What the other pods of the node ask for; only looked at while this one is to be resized. */
  readonly requestsOfOthers?: ResourceAmounts | undefined;
  /** By hookKey(). */
  readonly hooks: ReadonlyMap<string, HookNote>;
  /** Version of all ConfigMaps and Secrets the pod refers to: any change changes it. Absent: not all read yet. */
  readonly sourcesVersion?: string | undefined;
  readonly eviction?: Eviction | undefined;
  /** The node is short of disk: what can be spared of a pod's past goes. */
  readonly isDiskShort?: boolean | undefined;
  /** The sources version the volumes were last set up from by this engine. */
  readonly volumesVersion?: string | undefined;
  /** Whether the machine lists the pod at all: it may hold a directory and nothing observe() tells. */
  readonly onMachine: boolean;
  readonly node: {
    readonly ips: readonly string[] /** "crun": scheme of containerID. */;
    readonly runtime: string;
    readonly allocatable?: { readonly cpuMilli: number; readonly memoryBytes: number } | undefined;
    /** The longest restart back-off, where it is not Kubernetes' (KEP-5593). */
    readonly restartPeriodMsMax?: number | undefined;
  };
};

/** All containers were restarted in place (KEP-5532). */
export type Round = {
  readonly beganAtMs: number;
  /** The instance whose exit began it. */
  readonly trigger: ObservedContainer;
  readonly exitCode: number;
  /** Of the containers that restart: all but ephemeral ones. */
  readonly names: ReadonlySet<string>;
};

export type Observed = ObservedPod & {
  readonly notes: Notes;
  /** Set by recollect(): all containers were restarted in place. */
  readonly round?: Round | undefined;
};
