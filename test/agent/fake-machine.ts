// A Machine in memory under a virtual clock. Containers behave as a script says; calls take a little virtual time, so
// that a crash can happen in their middle. What it holds survives the engine: reopen() gives a new engine's view, and
// calls of the old one never go on.
import { Readable } from 'node:stream';
import { type ContainerId, containerId, type PodUid } from '../../src/base/brand.ts';
import type { Clock } from '../../src/base/clock.ts';
import { PodwrightError } from '../../src/base/errors.ts';
import { normalImageName, parseImageReference } from '../../src/kube/image-reference.ts';
import type { ExecOptions, ExecProcess, Machine } from '../../src/machine/machine.ts';
import type { ContainerConfig, ObservedContainer } from '../../src/machine/model/container.ts';
import type { Image } from '../../src/machine/model/image.ts';
import type { PodIdentity } from '../../src/machine/model/pod-identity.ts';
import type { CgroupResources, ObservedSandbox, SandboxConfig } from '../../src/machine/model/sandbox.ts';
import type { GroupUsage, NodeUsage, PodDiskUsage, PodUsage } from '../../src/machine/model/usage.ts';
import type { VolumeSetup } from '../../src/machine/model/volume.ts';

export type Behaviour = {
  /** Absent: it runs until it is stopped. */
  readonly runMs?: number | undefined;
  readonly exitCode?: number | undefined;
  /** How long it takes to end after SIGTERM; absent: it ignores SIGTERM. */
  readonly sigtermMs?: number | undefined;
  readonly sigtermExitCode?: number | undefined;
  readonly print?: string | undefined;
  readonly startError?: string | undefined;
  /** What a command in the container does; absent: it succeeds at once. */
  readonly exec?: (command: readonly string[], sinceStartMs: number) => ExecBehaviour;
};

/** ms absent: it never ends. */
export type ExecBehaviour = { readonly ms?: number; readonly exitCode: number };

export type Call = {
  readonly name: string;
  readonly uid: PodUid;
  readonly detail: unknown;
  readonly atMs: number;
};

/** Detail of an exec call. */
export type ExecDetail = {
  readonly id: ContainerId;
  readonly command: readonly string[];
  readonly ms: number | undefined;
  readonly exitCode: number;
};

export type FakeOptions = {
  /** `activity` is raised with every call: a sign for VirtualClock that something still happens. */
  readonly clock: Clock & { activity: number };
  readonly behaviour?: (name: string, attempt: number, command: readonly string[]) => Behaviour;
  /** An error a call ends with, in place of its effect. */
  readonly failure?: (call: Call) => PodwrightError | undefined;
  /** Images a pull finds; all do by default. */
  readonly registryHas?: (reference: string) => boolean;
  /** Sees every call before it takes effect; throws when a law is broken. */
  readonly onCall?: (call: Call, machine: FakeMachine) => void;
};

type PodState = {
  readonly identity: PodIdentity;
  sandboxes: ObservedSandbox[];
  containers: ObservedContainer[];
  volumes: string[];
};
type Disk = {
  readonly pods: Map<PodUid, PodState>;
  readonly images: Map<string, Image>;
  readonly cancels: Map<ContainerId, () => void>;
  readonly commands: Map<ContainerId, readonly string[]>;
  /** Of the living engine: containers outlive the engine that started them, and so do their ends. */
  readonly listeners: Set<(uid: PodUid) => void>;
};

const NO_USAGE: GroupUsage = {
  cpuNanoseconds: 0,
  memoryBytes: 0,
  inactiveFileBytes: 0,
  residentBytes: 0,
  pageFaults: 0,
  majorPageFaults: 0,
  processes: 0,
};

/** Virtual time a call takes: in its middle things are half made. */
const CALL_MS = 2;

export class FakeMachine implements Machine {
  readonly calls: Call[] = [];
  /** How often somebody looked: once a plan. */
  observations = 0;
  readonly #options: FakeOptions;
  readonly #disk: Disk;
  #isAlive = true;

  constructor(
    options: FakeOptions,
    disk: Disk = {
      pods: new Map(),
      images: new Map(),
      cancels: new Map(),
      commands: new Map(),
      listeners: new Set(),
    },
  ) {
    this.#options = options;
    this.#disk = disk;
  }

  /** kill -9 of the engine: what was begun stays half done; the new view sees it. */
  reopen(): FakeMachine {
    this.#isAlive = false;
    this.#disk.listeners.clear();
    return new FakeMachine(this.#options, this.#disk);
  }

  /** A state found on the disk at the start. */
  put(identity: PodIdentity, state: Omit<PodState, 'identity'>): void {
    this.#disk.pods.set(identity.uid, { identity, ...state });
    for (const one of state.containers) if (one.state.kind === 'running') this.#letRun(one);
  }

  pods(): readonly PodIdentity[] {
    return [...this.#disk.pods.values()].map((pod) => pod.identity);
  }

  observe(uid: PodUid): { sandboxes: ObservedSandbox[]; containers: ObservedContainer[]; volumes: string[] } {
    this.observations += 1;
    return this.peek(uid);
  }

  /** Every running container uses a tenth of a processor and holds a mebibyte. */
  podUsage(uid: PodUid): PodUsage {
    const { sandboxes, containers } = this.peek(uid);
    const usageSince = (startedAtMs: number) => ({
      ...NO_USAGE,
      cpuNanoseconds: (this.#options.clock.nowMs() - startedAtMs) * 100_000,
      memoryBytes: 1024 * 1024,
    });
    const running = containers.flatMap(({ id, state }) =>
      state.kind === 'running' ? [{ id, group: usageSince(state.startedAtMs), logBytes: 10 }] : [],
    );
    const isThere = sandboxes.some(({ state }) => state.kind === 'ready');
    const group = { ...NO_USAGE, memoryBytes: this.shortage.memory.get(uid) ?? 0 };
    return { group: isThere ? group : undefined, containers: running, network: [] };
  }

  /** What a test says of the node and its pods; the rest has room in plenty. */
  readonly shortage: {
    node?: Partial<NodeUsage> | undefined;
    memory: Map<PodUid, number>;
    disk: Map<PodUid, PodDiskUsage>;
    imagesInUse: Set<string>;
  } = { memory: new Map(), disk: new Map(), imagesInUse: new Set() };

  nodeUsage(): NodeUsage {
    const fs = { capacityBytes: 1e9, availableBytes: 1e9, usedBytes: 0, inodes: 1000, inodesFree: 1000 };
    const rest = { pidsMax: 32768, bootedAtMs: 0, network: [] };
    return { group: NO_USAGE, memoryCapacityBytes: 2 ** 30, ...rest, fs, ...this.shortage.node };
  }

  async podDisk(uid: PodUid): Promise<PodDiskUsage> {
    return this.shortage.disk.get(uid) ?? { containers: [], volumes: [] };
  }

  imagesInUse(): ReadonlySet<string> {
    const ofContainers = this.pods().flatMap(({ uid }) =>
      this.peek(uid).containers.map(({ imageId }) => imageId),
    );
    return new Set([...ofContainers, ...this.shortage.imagesInUse]);
  }

  /** The same for onlookers. */
  peek(uid: PodUid): { sandboxes: ObservedSandbox[]; containers: ObservedContainer[]; volumes: string[] } {
    const pod = this.#disk.pods.get(uid);
    return {
      sandboxes: [...(pod?.sandboxes ?? [])],
      containers: [...(pod?.containers ?? [])].sort(
        (a, b) => a.name.localeCompare(b.name) || a.attempt - b.attempt,
      ),
      volumes: [...(pod?.volumes ?? [])],
    };
  }

  onChange(listener: (uid: PodUid) => void): () => void {
    this.#disk.listeners.add(listener);
    return () => this.#disk.listeners.delete(listener);
  }

  readonly images = {
    resolve: async (reference: string): Promise<Image | undefined> =>
      this.#disk.images.get(normal(reference)),
    pull: async (reference: string, { signal }: { readonly signal: AbortSignal }): Promise<Image> => {
      await this.#wait(signal);
      if (this.#options.registryHas?.(reference) === false) {
        throw new PodwrightError('ImagePullFailed', `pull image ${reference}: manifest unknown`);
      }
      return this.addImage(reference);
    },
    load: async (): Promise<readonly Image[]> => [],
    list: async (): Promise<readonly Image[]> => [...this.#disk.images.values()],
    remove: async (reference: string): Promise<void> => {
      const found = [...this.#disk.images].find(([name, { id }]) => id === reference || name === reference);
      if (found !== undefined) this.#disk.images.delete(found[0]);
    },
  };

  addImage(reference: string): Image {
    const name = normal(reference);
    const image: Image = { id: `sha256:${name}`, tags: [name], digests: [], sizeBytes: 1, user: '' };
    this.#disk.images.set(name, image);
    return image;
  }

  async createSandbox(config: SandboxConfig, signal: AbortSignal): Promise<void> {
    const pod = this.#podOf(config.pod);
    const { attempt } = config;
    this.#called('createSandbox', config.pod.uid, config);
    if (pod.sandboxes.some((one) => one.attempt === attempt && one.state.kind === 'ready')) return;
    const createdAtMs = this.#options.clock.nowMs();
    const others = (): ObservedSandbox[] => pod.sandboxes.filter((one) => one.attempt !== attempt);
    pod.sandboxes = [...others(), { attempt, createdAtMs, state: { kind: 'incomplete' } }];
    try {
      await this.#wait(signal);
    } catch (error) {
      pod.sandboxes = others();
      throw error;
    }
    pod.sandboxes = [
      ...others(),
      {
        attempt,
        createdAtMs,
        podResources: config.podResources,
        state: { kind: 'ready', ips: [`10.200.0.${attempt + 2}`] },
      },
    ];
  }

  async stopSandbox(uid: PodUid, attempt: number): Promise<void> {
    this.#called('stopSandbox', uid, attempt);
    this.#endSandbox(uid, attempt);
    await this.#wait();
  }

  async removeSandbox(uid: PodUid, attempt: number): Promise<void> {
    this.#called('removeSandbox', uid, attempt);
    this.#endSandbox(uid, attempt);
    await this.#wait();
    const pod = this.#disk.pods.get(uid);
    if (pod === undefined) return;
    pod.containers = pod.containers.filter((one) => one.sandboxAttempt !== attempt);
    pod.sandboxes = pod.sandboxes.filter((one) => one.attempt !== attempt);
  }

  async setUpVolumes(setup: VolumeSetup, signal: AbortSignal): Promise<void> {
    const pod = this.#podOf(setup.pod);
    this.#called('setUpVolumes', setup.pod.uid, setup);
    await this.#wait(signal);
    pod.volumes = [...new Set([...pod.volumes, ...setup.volumes.map((volume) => volume.name)])];
  }

  async removePod(uid: PodUid): Promise<void> {
    this.#called('removePod', uid, undefined);
    for (const { attempt } of this.#disk.pods.get(uid)?.sandboxes ?? []) this.#endSandbox(uid, attempt);
    await this.#wait();
    this.#disk.pods.delete(uid);
  }

  async createContainer(config: ContainerConfig, signal: AbortSignal): Promise<ContainerId> {
    const pod = this.#podOf(config.pod);
    this.#called('createContainer', config.pod.uid, config);
    const { name, attempt, sandboxAttempt, image, imageId, annotations, resources } = config;
    const id = containerId(`${config.pod.uid}_${name}_${attempt}`);
    const { state } = pod.sandboxes.find((one) => one.attempt === sandboxAttempt) ?? {};
    if (state?.kind !== 'ready')
      throw new PodwrightError('CreateFailed', `create container ${id}: no ready sandbox`);
    if (pod.containers.some((one) => one.id === id && one.state.kind !== 'incomplete')) return id;
    this.#disk.commands.set(id, config.command ?? []);
    const createdAtMs = this.#options.clock.nowMs();
    const base = { id, name, attempt, sandboxAttempt, image, imageId, annotations, resources, createdAtMs };
    pod.containers.push({ ...base, state: { kind: 'incomplete' } });
    try {
      await this.#wait(signal);
    } catch (error) {
      pod.containers = pod.containers.filter((one) => one.id !== id);
      throw error;
    }
    this.#change(id, () => ({ state: { kind: 'created' } }));
    return id;
  }

  async startContainer(id: ContainerId): Promise<void> {
    const one = this.#find(id);
    this.#called('startContainer', uidOf(id), one);
    await this.#wait();
    const nowMs = this.#options.clock.nowMs();
    const { startError } = this.#behaviour(one);
    if (startError !== undefined) {
      const state = {
        kind: 'exited',
        finishedAtMs: nowMs,
        exitCode: 128,
        reason: 'StartError',
        message: startError,
      } as const;
      this.#change(id, () => ({ state }));
      throw new PodwrightError('StartFailed', startError);
    }
    if (this.#find(id).state.kind !== 'created') return;
    this.#change(id, () => ({ state: { kind: 'running', startedAtMs: nowMs, pid: 1000 } }));
    this.#letRun(this.#find(id));
  }

  async signalContainer(id: ContainerId, signal: string): Promise<void> {
    const one = this.#find(id);
    this.#called('signalContainer', uidOf(id), { ...one, signal });
    const { clock } = this.#options;
    this.#change(id, (old) => ({ stopSignalledAtMs: old.stopSignalledAtMs ?? clock.nowMs() }));
    await this.#wait();
    const { sigtermMs, sigtermExitCode = 143 } = this.#behaviour(one);
    if (signal === 'SIGKILL') this.#exit(id, 137);
    else if (sigtermMs !== undefined)
      clock.at(clock.nowMs() + sigtermMs, () => this.#exit(id, sigtermExitCode));
  }

  async updatePodResources(uid: PodUid, podResources: CgroupResources): Promise<void> {
    this.#called('updatePodResources', uid, podResources);
    await this.#wait();
    const pod = this.#disk.pods.get(uid);
    if (pod === undefined) return;
    pod.sandboxes = pod.sandboxes.map((one) => (one.state.kind === 'ready' ? { ...one, podResources } : one));
  }

  async updateContainerResources(id: ContainerId, resources: CgroupResources): Promise<void> {
    this.#called('updateContainerResources', uidOf(id), { id, resources });
    await this.#wait();
    this.#change(id, () => ({ resources }));
  }

  async removeContainer(id: ContainerId): Promise<void> {
    this.#called('removeContainer', uidOf(id), id);
    await this.#wait();
    const pod = this.#disk.pods.get(uidOf(id));
    if (pod !== undefined) pod.containers = pod.containers.filter((one) => one.id !== id);
  }

  attach(): never {
    throw new PodwrightError('Unsupported', 'attach in the fake machine');
  }

  connectPort(): never {
    throw new PodwrightError('Unsupported', 'connectPort in the fake machine');
  }

  async exec(id: ContainerId, { command, signal }: ExecOptions): Promise<ExecProcess> {
    const one = this.#find(id);
    if (one.state.kind !== 'running') throw new PodwrightError('InternalError', `exec in ${id}: not running`);
    const { clock } = this.#options;
    const sinceStartMs = clock.nowMs() - one.state.startedAtMs;
    const { ms, exitCode } = this.#behaviour(one).exec?.(command, sinceStartMs) ?? { ms: 0, exitCode: 0 };
    this.#called('exec', uidOf(id), { id, command, ms, exitCode } satisfies ExecDetail);
    const ended = this.#wait(signal, ms ?? Number.POSITIVE_INFINITY).then(() => exitCode);
    return { exitCode: ended, resize: () => {} };
  }

  readLog(id: ContainerId): Readable {
    const one = this.#find(id);
    return Readable.from([`${this.#behaviour(one).print ?? `log of ${id}`}\n`]);
  }

  /** What the containers have written into the file in use; a rotation sets it back. */
  readonly written = new Map<ContainerId, number>();

  async logBytes(id: ContainerId): Promise<number | undefined> {
    return this.#find(id).state.kind === 'running' ? (this.written.get(id) ?? 0) : undefined;
  }

  async rotateLog(id: ContainerId, filesMax: number): Promise<void> {
    this.#called('rotateLog', uidOf(id), { id, filesMax });
    await this.#wait();
    this.written.set(id, 0);
  }

  async close(): Promise<void> {
    this.#disk.listeners.clear();
  }

  /** Somebody kills the infra container; the other containers go on. */
  killInfra(uid: PodUid): void {
    const pod = this.#disk.pods.get(uid);
    if (pod === undefined) return;
    pod.sandboxes = pod.sandboxes.map((one) =>
      one.state.kind === 'ready' ? { ...one, state: { kind: 'notReady' } } : one,
    );
    this.#tell(uid);
  }

  // ----------------------------------------------------------------------------------------------------------------

  #called(name: string, uid: PodUid, detail: unknown): void {
    if (!this.#isAlive) throw new Error(`${name} called on the machine of a dead engine`);
    this.#options.clock.activity += 1;
    const call = { name, uid, detail, atMs: this.#options.clock.nowMs() };
    this.calls.push(call);
    this.#options.onCall?.(call, this);
    const failure = this.#options.failure?.(call);
    if (failure !== undefined) throw failure;
  }

  /** The middle of a call. After a crash it never ends. */
  #wait(signal?: AbortSignal, ms: number = CALL_MS): Promise<void> {
    const { clock } = this.#options;
    return new Promise((resolve, reject) => {
      const cancel = clock.at(clock.nowMs() + ms, () => {
        if (this.#isAlive) resolve();
      });
      signal?.addEventListener('abort', () => {
        cancel();
        if (this.#isAlive) reject(signal.reason);
      });
    });
  }

  #podOf(identity: PodIdentity): PodState {
    const known = this.#disk.pods.get(identity.uid);
    if (known !== undefined) return known;
    const pod: PodState = { identity, sandboxes: [], containers: [], volumes: [] };
    this.#disk.pods.set(identity.uid, pod);
    return pod;
  }

  #find(id: ContainerId): ObservedContainer {
    const found = this.#disk.pods.get(uidOf(id))?.containers.find((one) => one.id === id);
    if (found === undefined) throw new PodwrightError('InternalError', `container ${id}: no such container`);
    return found;
  }

  #change(id: ContainerId, change: (old: ObservedContainer) => Partial<ObservedContainer>): void {
    const pod = this.#disk.pods.get(uidOf(id));
    if (pod !== undefined)
      pod.containers = pod.containers.map((one) => (one.id === id ? { ...one, ...change(one) } : one));
  }

  #behaviour(one: ObservedContainer): Behaviour {
    const command = this.#disk.commands.get(one.id) ?? [];
    return this.#options.behaviour?.(one.name, one.attempt, command) ?? { sigtermMs: 100 };
  }

  #letRun(one: ObservedContainer): void {
    const { runMs, exitCode = 0 } = this.#behaviour(one);
    const { clock } = this.#options;
    if (runMs === undefined) return;
    this.#disk.cancels.set(
      one.id,
      clock.at(clock.nowMs() + runMs, () => this.#exit(one.id, exitCode)),
    );
  }

  #exit(id: ContainerId, exitCode: number): void {
    this.#disk.cancels.get(id)?.();
    const finishedAtMs = this.#options.clock.nowMs();
    this.#change(id, ({ state }) =>
      state.kind !== 'running'
        ? {}
        : {
            state: {
              kind: 'exited',
              startedAtMs: state.startedAtMs,
              finishedAtMs,
              exitCode,
              reason: exitCode === 0 ? 'Completed' : 'Error',
              message: '',
            },
          },
    );
    this.#tell(uidOf(id));
  }

  #endSandbox(uid: PodUid, attempt: number): void {
    const pod = this.#disk.pods.get(uid);
    if (pod === undefined) return;
    for (const one of pod.containers) if (one.sandboxAttempt === attempt) this.#exit(one.id, 137);
    pod.sandboxes = pod.sandboxes.map((one) =>
      one.attempt === attempt && one.state.kind === 'ready' ? { ...one, state: { kind: 'notReady' } } : one,
    );
  }

  #tell(uid: PodUid): void {
    this.#options.clock.activity += 1;
    for (const listener of [...this.#disk.listeners]) listener(uid);
  }
}

const uidOf = (id: ContainerId): PodUid => id.slice(0, id.indexOf('_')) as PodUid;
const normal = (reference: string): string => normalImageName(parseImageReference(reference));
