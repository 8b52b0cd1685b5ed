// The Linux machine as the agent sees it: pod sandboxes, containers, volumes and images, in CRI's words. Two things
// implement it, the real one (linux-machine.ts) and the fake one of the tests (test/agent/fake-machine.ts); both pass
// the same contract (test/machine/machine-contract.ts).
//
// Invariants
// - The machine remembers: everything observe() tells survives the engine, on disk or in the kernel, under names made
//   of (pod uid, container, attempt). A new engine's observe() tells the same.
// - Every step may be called again, also after a crash in its middle, and every undo works where the step never ran.
// - It decides nothing: no restart, no back-off, no order. That is planPod's.
import type { Duplex, Readable, Writable } from 'node:stream';
import type { ContainerId, PodUid } from '../base/brand.ts';

export type PodIdentity = { readonly uid: PodUid; readonly namespace: string; readonly name: string };

// ---------------------------------------------------------------------------------------------------------- sandbox

/** CRI NamespaceMode: of the pod, of each container, or the node's own. */
export type SandboxNamespaces = {
  readonly network: 'pod' | 'node';
  readonly ipc: 'pod' | 'node';
  readonly pid: 'pod' | 'container' | 'node';
};

export type PortMapping = {
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly containerPort: number;
  readonly hostPort: number;
  /** Absent: every address of the host. */
  readonly hostIP?: string | undefined;
};

export type DnsConfig = {
  readonly nameservers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
};

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

/** Limits and shares of a cgroup; absent means unlimited. */
export type CgroupResources = {
  readonly cpuRequestMilli?: number | undefined;
  readonly cpuLimitMilli?: number | undefined;
  readonly memoryLimitBytes?: number | undefined;
  readonly pidsLimit?: number | undefined;
};

export type HostNames = { readonly ip: string; readonly hostnames: readonly string[] };

export type SandboxConfig = {
  readonly pod: PodIdentity;
  /** 0 for the pod's first sandbox; grows when the infra container died. */
  readonly attempt: number;
  readonly hostname: string;
  /** Its name with the domain, which /etc/hosts tells. Absent: it has no subdomain. */
  readonly fullName?: string | undefined;
  readonly namespaces: SandboxNamespaces;
  readonly portMappings: readonly PortMapping[];
  /** 'node' copies the node's resolv.conf. */
  readonly dns: DnsConfig | 'node';
  /** Names of services, for lack of a DNS that knows them. */
  readonly services?: readonly HostNames[] | undefined;
  /** Lines of /etc/hosts beside the usual ones (hostAliases). */
  readonly hostAliases: readonly HostNames[];
  readonly sysctls: Readonly<Record<string, string>>;
  readonly qosClass: QosClass;
  readonly podResources: CgroupResources;
};

export type SandboxState =
  /** Begun and not finished; only stopSandbox/removeSandbox make sense. */
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'ready'; readonly ips: readonly string[] }
  /** The infra container is dead or was stopped; namespaces and addresses are gone or about to be. */
  | { readonly kind: 'notReady' };

export type ObservedSandbox = {
  readonly attempt: number;
  /** What the pod's cgroup is set to. */
  readonly podResources?: CgroupResources | undefined;
  readonly createdAtMs: number;
  readonly state: SandboxState;
};

// ------------------------------------------------------------------------------------------------------- containers

export type ContainerMount = {
  readonly containerPath: string;
  readonly source:
    | { readonly kind: 'volume'; readonly name: string; readonly subPath?: string | undefined }
    | { readonly kind: 'hostPath'; readonly path: string };
  readonly readOnly: boolean;
  /** Of a read-only mount: what is mounted below it is read-only, too. */
  readonly recursiveReadOnly?: 'IfPossible' | 'Enabled' | undefined;
  /** Kubernetes' names: None, HostToContainer, Bidirectional. */
  readonly propagation: 'None' | 'HostToContainer' | 'Bidirectional';
};

export type ContainerSecurity = {
  /** Absent: what the image says. A name is looked up in the image's /etc/passwd. */
  readonly runAsUser?: number | undefined;
  readonly runAsGroup?: number | undefined;
  readonly runAsNonRoot: boolean;
  readonly supplementalGroups: readonly number[];
  /** Strict: those the image's /etc/group puts the user in are not added (KEP-3619). Absent: Merge. */
  readonly supplementalGroupsPolicy?: 'Merge' | 'Strict' | undefined;
  readonly privileged: boolean;
  readonly readOnlyRootFilesystem: boolean;
  readonly allowPrivilegeEscalation: boolean;
  readonly addCapabilities: readonly string[];
  readonly dropCapabilities: readonly string[];
  readonly seccomp:
    | { readonly kind: 'RuntimeDefault' | 'Unconfined' }
    | { readonly kind: 'Localhost'; readonly path: string };
  /** Unmasked leaves /proc as the kernel shows it. */
  readonly procMount: 'Default' | 'Unmasked';
};

export type ContainerConfig = {
  readonly pod: PodIdentity;
  readonly sandboxAttempt: number;
  readonly name: string;
  /** 0 for the first instance; equals restartCount. (pod uid, name, attempt) names one instance for ever. */
  readonly attempt: number;
  readonly image: string;
  readonly imageId: string;
  /** Absent: the image's ENTRYPOINT. Already expanded ($(VAR)). */
  readonly command?: readonly string[] | undefined;
  /** Absent: the image's CMD, unless command is given. */
  readonly args?: readonly string[] | undefined;
  /** Added over the image's own. */
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly workingDir?: string | undefined;
  readonly mounts: readonly ContainerMount[];
  readonly resources: CgroupResources;
  readonly oomScoreAdj: number;
  readonly security: ContainerSecurity;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  readonly terminationMessagePath: string;
  readonly terminationMessagePolicy: 'File' | 'FallbackToLogsOnError';
  /** Process id namespace of this container instead of the sandbox's rule (ephemeral containers). */
  readonly targetContainer?: string | undefined;
  /** A RuntimeClass's: "crun", "runc". Absent: the machine's own runtime. */
  readonly runtimeHandler?: string | undefined;
  /** The agent's own notes, echoed by observe(): what a restarted engine must still know. */
  readonly annotations: Readonly<Record<string, string>>;
};

export type ContainerState =
  /** createContainer began and did not finish; only removeContainer makes sense. */
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'created' }
  | { readonly kind: 'running'; readonly startedAtMs: number; readonly pid: number }
  | {
      readonly kind: 'exited';
      /** Absent when it never started. */
      readonly startedAtMs?: number | undefined;
      readonly finishedAtMs: number;
      /** 128 + signal number when a signal ended it; 137 with ContainerStatusUnknown when nobody saw it end. */
      readonly exitCode: number;
      readonly reason: 'Completed' | 'Error' | 'OOMKilled' | 'ContainerStatusUnknown' | 'StartError';
      /** The termination message, at most 4096 bytes. */
      readonly message: string;
    };

export type ObservedContainer = {
  readonly id: ContainerId;
  readonly name: string;
  readonly attempt: number;
  readonly sandboxAttempt: number;
  readonly image: string;
  readonly imageId: string;
  readonly createdAtMs: number;
  readonly state: ContainerState;
  /** Set once signalContainer was called: when the first signal of a stop was sent. Survives the engine. */
  readonly stopSignalledAtMs?: number | undefined;
  /** What its cgroup is set to. Absent: it was made by an engine that did not note it. */
  readonly resources?: CgroupResources | undefined;
  readonly annotations: Readonly<Record<string, string>>;
};

// ---------------------------------------------------------------------------------------------------------- volumes

export type VolumeFile = {
  /** Relative, without "..": "config/app.conf". */
  readonly path: string;
  readonly content: Uint8Array;
  readonly mode: number;
  /** Its owner; absent: root. */
  readonly uid?: number | undefined;
};

export type VolumeConfig =
  | {
      readonly kind: 'emptyDir';
      readonly name: string;
      readonly medium: 'disk' | 'memory';
      readonly sizeLimitBytes?: number | undefined;
    }
  | {
      readonly kind: 'hostPath';
      readonly name: string;
      readonly path: string;
      /** Kubernetes' HostPathType; "" checks nothing. */
      readonly type:
        | ''
        | 'DirectoryOrCreate'
        | 'Directory'
        | 'FileOrCreate'
        | 'File'
        | 'Socket'
        | 'CharDevice'
        | 'BlockDevice';
      readonly readOnly?: boolean | undefined;
    }
  /** configMap, secret, downwardAPI, projected: files the agent has already resolved; memory keeps them off the disk. */
  | {
      readonly kind: 'files';
      readonly name: string;
      readonly medium: 'disk' | 'memory';
      readonly files: readonly VolumeFile[];
    }
  /** A directory of the node that outlives the pod: a PersistentVolume of type local. Never removed. */
  | { readonly kind: 'local'; readonly name: string; readonly path: string; readonly readOnly: boolean }
  /** What a CSI driver publishes; it listens at <data-dir>/plugins/<driver>/csi.sock. */
  | {
      readonly kind: 'csi';
      readonly name: string;
      readonly driver: string;
      readonly volumeHandle: string;
      /** Ephemeral volumes are made by being published; persistent ones are staged before. */
      readonly lifecycle: 'Ephemeral' | 'Persistent';
      readonly readOnly: boolean;
      readonly accessMode: 'SINGLE_NODE_WRITER' | 'MULTI_NODE_READER_ONLY' | 'MULTI_NODE_MULTI_WRITER';
      readonly fsType: string;
      readonly mountFlags: readonly string[];
      readonly attributes: Readonly<Record<string, string>>;
      /** For publishing; kept nowhere. */
      readonly secrets: Readonly<Record<string, string>>;
      /** Whether the pod's fsGroup gets what is in it, where the driver does not see to that itself. */
      readonly fsGroup: 'apply' | 'leave';
    }
  /** The content of an image in the local store, read-only (KEP-4639). */
  | { readonly kind: 'image'; readonly name: string; readonly imageId: string };

export type VolumeSetup = {
  readonly pod: PodIdentity;
  readonly volumes: readonly VolumeConfig[];
  /** securityContext.fsGroup: group of the volumes' files, which become group-writable and setgid. */
  readonly fsGroup?: number | undefined;
  /** Of volumes that outlive the pod; the others are always changed. Absent: Always. */
  readonly fsGroupChangePolicy?: 'Always' | 'OnRootMismatch' | undefined;
};

// ----------------------------------------------------------------------------------------------------------- images

export type Image = {
  /** "sha256:..." of the image's config. */
  readonly id: string;
  /** Normalised names with tag: "docker.io/library/busybox:1". */
  readonly tags: readonly string[];
  /** "name@sha256:..." where known. */
  readonly digests: readonly string[];
  readonly sizeBytes: number;
  readonly createdAtMs?: number | undefined;
  /** The image config's User, for runAsNonRoot. */
  readonly user: string;
  /** The image config's StopSignal. */
  readonly stopSignal?: string | undefined;
};

export type RegistryAuth = { readonly username: string; readonly password: string };

export type PullOptions = {
  /** Tried in order; none means anonymous. */
  readonly auths?: readonly RegistryAuth[] | undefined;
  readonly signal: AbortSignal;
};

export type ImageStore = {
  /** The image a reference means, if it is in the local store. Throws InvalidImageName. */
  resolve(reference: string): Promise<Image | undefined>;
  /** Fetches it even if it is present (only what changed is transferred). Throws ImagePullFailed, InvalidImageName. */
  pull(reference: string, options: PullOptions): Promise<Image>;
  /** An OCI or Docker archive, or an OCI layout directory; returns what it held. */
  load(
    path: string,
    options: { readonly signal: AbortSignal; readonly name?: string | undefined },
  ): Promise<readonly Image[]>;
  list(): Promise<readonly Image[]>;
  /** By reference or id; throws ImageNotFound. The caller has made sure that no container uses it. */
  remove(reference: string): Promise<void>;
};

// ------------------------------------------------------------------------------------------------------------ usage

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

// ------------------------------------------------------------------------------------------------------ the machine

export type ObservedPod = {
  /** By attempt, newest last; at most one is ready. */
  readonly sandboxes: readonly ObservedSandbox[];
  /** By name, then attempt. */
  readonly containers: readonly ObservedContainer[];
  /** Names of volumes that are set up. */
  readonly volumes: readonly string[];
};

export type ExecOptions = {
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly stdin?: Readable | undefined;
  readonly stdout: Writable;
  readonly stderr?: Writable | undefined;
  readonly signal: AbortSignal;
};

export type ExecProcess = {
  readonly exitCode: Promise<number>;
  resize(size: { readonly columns: number; readonly rows: number }): void;
};

export type LogReadOptions = {
  readonly follow: boolean;
  readonly timestamps: boolean;
  readonly tailLines?: number | undefined;
  readonly sinceMs?: number | undefined;
  readonly limitBytes?: number | undefined;
};

export type Machine = {
  readonly images: ImageStore;

  /** Every pod this machine holds anything of, also half-made and half-removed ones. */
  pods(): readonly PodIdentity[];
  /** From memory, at once; for an unknown pod everything is empty. */
  observe(uid: PodUid): ObservedPod;
  /** Called after anything observe() tells of a pod has changed without having been asked for. Returns the undo. */
  onChange(listener: (uid: PodUid) => void): () => void;

  /** Totals as the kernel has them now; for an unknown pod nothing. */
  podUsage(uid: PodUid): PodUsage;
  nodeUsage(): NodeUsage;
  /** Counted file by file: not for every pod at every moment. */
  podDisk(uid: PodUid): Promise<PodDiskUsage>;
  /** Ids of the images that a container or a volume here stands on, or every pod does. */
  imagesInUse(): ReadonlySet<string>;

  /** Infra container, namespaces, network, cgroup, /etc files. Throws NetworkFailed, PortInUse, CreateFailed. */
  createSandbox(config: SandboxConfig, signal: AbortSignal): Promise<void>;
  /** Ends whatever still runs in it, gives back network and namespaces; containers stay as exited. */
  stopSandbox(uid: PodUid, attempt: number): Promise<void>;
  /** Stops it if need be, removes its containers and every trace of it. */
  removeSandbox(uid: PodUid, attempt: number): Promise<void>;

  /** Sets up the volumes that are missing, rewrites changed files, leaves the rest and those that are not named. */
  setUpVolumes(setup: VolumeSetup, signal: AbortSignal): Promise<void>;
  /** The last step of a pod's life: volumes, directories, logs, pod cgroup, records. All sandboxes are removed before. */
  removePod(uid: PodUid): Promise<void>;

  /** Needs a ready sandbox and the volumes. Throws CreateFailed, ConfigFailed; leaves nothing behind when it throws. */
  createContainer(config: ContainerConfig, signal: AbortSignal): Promise<ContainerId>;
  /** Runs the created container's command; harmless if it already runs. Throws StartFailed (then it is exited). */
  startContainer(id: ContainerId): Promise<void>;
  /** Sends a signal to PID 1 ("SIGTERM") and remembers when the first was sent; SIGKILL ends the whole container. */
  signalContainer(id: ContainerId, signal: string): Promise<void>;
  /**
   * In-place resize: sets the cgroups of a running container and of its pod; observe() tells it from then on. Throws
   * ResizeFailed, such as for a memory limit below what is in use; then nothing but the pod's own limit may have changed.
   */
  updateContainerResources(
    id: ContainerId,
    resources: CgroupResources,
    podResources: CgroupResources,
  ): Promise<void>;
  /** The same for the pod's own cgroup alone (KEP-5419). */
  updatePodResources(uid: PodUid, podResources: CgroupResources): Promise<void>;
  /** Kills what is left of it, unmounts, deletes; its log goes only with `log: 'remove'`. */
  removeContainer(id: ContainerId, options: { readonly log: 'keep' | 'remove' }): Promise<void>;

  exec(id: ContainerId, options: ExecOptions): Promise<ExecProcess>;
  /** Joins the running container's own input and output; the exit code is always 0, when the output has ended. */
  attach(id: ContainerId, options: Omit<ExecOptions, 'command'>): Promise<ExecProcess>;
  /** A TCP connection to 127.0.0.1 or ::1 inside the pod's network. Throws NetworkFailed. */
  connectPort(uid: PodUid, port: number): Promise<Duplex>;
  /** Log content as `kubectl logs` shows it; ends when the container has ended, if following. */
  readLog(id: ContainerId, options: LogReadOptions, signal: AbortSignal): Readable;

  /** Bytes of the log file a running container writes; undefined when it does not run, or has none. */
  logBytes(id: ContainerId): Promise<number | undefined>;
  /**
   * Puts a running container's log aside and begins a new one; of those put aside all but the youngest are compressed, and
   * filesMax stay, the one in use among them. Who follows the log reads them all.
   */
  rotateLog(id: ContainerId, filesMax: number): Promise<void>;

  /** Lets go of watches and timers; containers stay. */
  close(): Promise<void>;
};
