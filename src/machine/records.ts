// What the machine remembers of pods: in memory for observe(), on disk before anything is done, read back by the next
// engine. It holds no process and no mount; those it names.
//
// Invariant: a record is written before the thing it speaks of begins to exist, and goes after the last trace of it.
import { mkdirSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ContainerId, PodUid } from '../base/brand.ts';
import { podUid } from '../base/brand.ts';
import { isPodwrightError, PodwrightError } from '../base/errors.ts';
import { errnoOf, putFile, readIfExists } from '../base/files.ts';
import {
  containerDir,
  containerIdOf,
  dataPodDir,
  type InstanceName,
  type MachineDirs,
  runPodDir,
  sandboxDir,
} from './layout.ts';
import type { ContainerConfig, ContainerState } from './model/container.ts';
import type { PodIdentity } from './model/pod-identity.ts';
import type { SandboxConfig } from './model/sandbox.ts';
import type { ProcessName } from './system/processes.ts';

export type SandboxRecord = {
  readonly config: SandboxConfig;
  readonly createdAtMs: number;
  /** dead: the infra container ended by itself; stopped: everything of it is undone. */
  readonly phase: 'creating' | 'ready' | 'dead' | 'stopped';
  readonly infra?: ProcessName | undefined;
  readonly ips: readonly string[];
};

export type ContainerExit = Extract<ContainerState, { readonly kind: 'exited' }>;

/** What of a container's configuration is still needed once its bundle is written. */
export type RememberedConfig = Pick<
  ContainerConfig,
  | 'pod'
  | 'sandboxAttempt'
  | 'name'
  | 'attempt'
  | 'image'
  | 'imageId'
  | 'tty'
  | 'annotations'
  | 'resources'
  | 'terminationMessagePolicy'
  | 'runtimeHandler'
>;

export type ContainerRecord = {
  readonly config: RememberedConfig;
  readonly createdAtMs: number;
  readonly cgroupPath: string;
  /** starting: `start` was asked for and its answer is not known. */
  readonly phase: 'creating' | 'created' | 'starting' | 'running' | 'exited';
  readonly process?: ProcessName | undefined;
  /** The command cannot be executed: told by start, as containerd does, though the runtime knew at create. */
  readonly startError?: string | undefined;
  readonly startedAtMs?: number | undefined;
  readonly stopSignalledAtMs?: number | undefined;
  readonly exit?: ContainerExit | undefined;
};

export type PodRecord = {
  readonly identity: PodIdentity;
  readonly sandboxes: Map<number, SandboxRecord>;
  readonly containers: Map<ContainerId, ContainerRecord>;
};

export const instanceOf = (config: RememberedConfig): InstanceName => ({
  uid: config.pod.uid,
  name: config.name,
  attempt: config.attempt,
});

export type Records = {
  pods(): readonly PodRecord[];
  pod(uid: PodUid): PodRecord | undefined;
  container(id: ContainerId): ContainerRecord | undefined;
  sandbox(uid: PodUid, attempt: number): SandboxRecord | undefined;
  /** Writes the pod's identity where it is not known yet, in both directories: either alone must lead to a removal. */
  addPod(identity: PodIdentity): Promise<void>;
  putSandbox(record: SandboxRecord): Promise<void>;
  putContainer(record: ContainerRecord): Promise<void>;
  /** Nothing for a container that was dropped meanwhile: a late end must not bring a record back. */
  updateContainer(id: ContainerId, change: Partial<ContainerRecord>): Promise<void>;
  updateSandbox(uid: PodUid, attempt: number, change: Partial<SandboxRecord>): Promise<void>;
  dropSandbox(uid: PodUid, attempt: number): Promise<void>;
  dropContainer(id: ContainerId): Promise<void>;
  dropPod(uid: PodUid): Promise<void>;
};

async function names(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/**
 * An empty one is none: it was about to be written, and what it speaks of was not begun. Throws StoreCorrupt: what a record
 * no longer tells could be a live process.
 */
async function readRecord<T>(path: string): Promise<T | undefined> {
  const text = await readIfExists(path);
  try {
    return text === undefined || text === '' ? undefined : (JSON.parse(text) as T);
  } catch (cause) {
    const remedy = 'restart the machine, or end the processes of that pod and remove its directory';
    throw new PodwrightError('StoreCorrupt', `read ${path}: it is damaged; ${remedy}`, { cause });
  }
}

/** Cut off by a power failure, it names a pod of which nothing runs any more. */
async function readDataIdentity(path: string): Promise<PodIdentity | undefined> {
  try {
    return await readRecord<PodIdentity>(path);
  } catch (error) {
    if (isPodwrightError(error, 'StoreCorrupt')) return undefined;
    throw error;
  }
}

async function loadPod(dirs: MachineDirs, uid: PodUid): Promise<PodRecord> {
  const identity = (await readRecord<PodIdentity>(join(runPodDir(dirs, uid), 'pod.json'))) ??
    (await readDataIdentity(join(dataPodDir(dirs, uid), 'pod.json'))) ?? {
      // Made by a crash between the directory and the file: enough to be removed by.
      uid,
      namespace: '',
      name: '',
    };
  const record: PodRecord = { identity, sandboxes: new Map(), containers: new Map() };
  for (const attempt of await names(join(runPodDir(dirs, uid), 'sandboxes'))) {
    const sandbox = await readRecord<SandboxRecord>(
      join(sandboxDir(dirs, uid, Number(attempt)), 'record.json'),
    );
    if (sandbox !== undefined) record.sandboxes.set(Number(attempt), sandbox);
  }
  const containersDir = join(runPodDir(dirs, uid), 'containers');
  for (const name of await names(containersDir)) {
    for (const attempt of await names(join(containersDir, name))) {
      const instance = { uid, name, attempt: Number(attempt) };
      const container = await readRecord<ContainerRecord>(join(containerDir(dirs, instance), 'record.json'));
      if (container !== undefined) record.containers.set(containerIdOf(instance), container);
    }
  }
  return record;
}

export async function openRecords(dirs: MachineDirs): Promise<Records> {
  const pods = new Map<PodUid, PodRecord>();
  const known = [...(await names(join(dirs.runDir, 'pods'))), ...(await names(join(dirs.dataDir, 'pods')))];
  for (const name of new Set(known)) pods.set(podUid(name), await loadPod(dirs, podUid(name)));

  const container = (id: ContainerId): ContainerRecord | undefined => {
    const uid = podUid(id.slice(0, id.indexOf('_')));
    return pods.get(uid)?.containers.get(id);
  };

  const podOf = (uid: PodUid): PodRecord => {
    const pod = pods.get(uid);
    if (pod === undefined) throw new Error(`pod ${uid} was not added to the records`);
    return pod;
  };

  // One write of a file at a time, in the order they were asked for: an older state must not overtake a newer one.
  const pending = new Map<string, Promise<void>>();
  const inTurn = async (key: string, work: () => Promise<void>): Promise<void> => {
    const mine = (pending.get(key) ?? Promise.resolve()).catch(() => {}).then(work);
    pending.set(key, mine);
    try {
      await mine;
    } finally {
      if (pending.get(key) === mine) pending.delete(key);
    }
  };
  const write = (path: string, record: unknown): Promise<void> =>
    inTurn(dirname(path), async () => {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      putFile(path, JSON.stringify(record));
    });
  const remove = (dir: string): Promise<void> => inTurn(dir, () => rm(dir, { recursive: true, force: true }));

  // Memory first, at once: whoever looks next sees the change, and changes made side by side do not undo one another.
  const putSandbox = (record: SandboxRecord): Promise<void> => {
    const { pod, attempt } = record.config;
    podOf(pod.uid).sandboxes.set(attempt, record);
    return write(join(sandboxDir(dirs, pod.uid, attempt), 'record.json'), record);
  };
  const putContainer = (record: ContainerRecord): Promise<void> => {
    const instance = instanceOf(record.config);
    podOf(instance.uid).containers.set(containerIdOf(instance), record);
    return write(join(containerDir(dirs, instance), 'record.json'), record);
  };

  return {
    pods: () => [...pods.values()],
    pod: (uid) => pods.get(uid),
    container,
    sandbox: (uid, attempt) => pods.get(uid)?.sandboxes.get(attempt),
    addPod: async (identity) => {
      const present = pods.get(identity.uid);
      if (present !== undefined && present.identity.name !== '') return;
      const { sandboxes = new Map(), containers = new Map() } = present ?? {};
      pods.set(identity.uid, { identity, sandboxes, containers });
      await write(join(dataPodDir(dirs, identity.uid), 'pod.json'), identity);
      await write(join(runPodDir(dirs, identity.uid), 'pod.json'), identity);
    },
    putSandbox,
    putContainer,
    updateContainer: async (id, change) => {
      const record = container(id);
      if (record !== undefined) await putContainer({ ...record, ...change });
    },
    updateSandbox: async (uid, attempt, change) => {
      const record = pods.get(uid)?.sandboxes.get(attempt);
      if (record !== undefined) await putSandbox({ ...record, ...change });
    },
    dropSandbox: async (uid, attempt) => {
      await remove(sandboxDir(dirs, uid, attempt));
      pods.get(uid)?.sandboxes.delete(attempt);
    },
    dropContainer: async (id) => {
      const record = container(id);
      if (record === undefined) return;
      const instance = instanceOf(record.config);
      await remove(containerDir(dirs, instance));
      pods.get(instance.uid)?.containers.delete(id);
    },
    dropPod: async (uid) => {
      await rm(dataPodDir(dirs, uid), { recursive: true, force: true });
      await rm(runPodDir(dirs, uid), { recursive: true, force: true });
      pods.delete(uid);
    },
  };
}
