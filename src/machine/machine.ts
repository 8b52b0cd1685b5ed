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
import type { ContainerConfig, ObservedContainer } from './model/container.ts';
import type { ImageStore } from './model/image.ts';
import type { PodIdentity } from './model/pod-identity.ts';
import type { CgroupResources, ObservedSandbox, SandboxConfig } from './model/sandbox.ts';
import type { NodeUsage, PodDiskUsage, PodUsage } from './model/usage.ts';
import type { VolumeSetup } from './model/volume.ts';

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
