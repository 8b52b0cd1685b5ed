// The real machine: composes runtime, cgroups, network, volumes and images into Machine. The parts do the work.
import { mkdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { allToTheirEnds } from '../base/all-to-their-ends.ts';
import type { ContainerId, PodUid } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import { isPodwrightError, PodwrightError } from '../base/errors.ts';
import { errnoOf } from '../base/files.ts';
import type { Log } from '../base/log.ts';
import { attachToContainer } from './attach.ts';
import { createCgroups, QOS_CLASSES } from './cgroups/cgroups.ts';
import { nodeUsage } from './cgroups/usage.ts';
import { containerLogs } from './container-logs.ts';
import { Containers } from './containers.ts';
import { podDisk } from './disk-usage.ts';
import { execInContainer } from './exec.ts';
import type { RootfsSource } from './images/rootfs.ts';
import { containerDir, type MachineDirs, podLogDir, runtimeRoot } from './layout.ts';
import type { Machine } from './machine.ts';
import type { Infra, MachineContext, Volumes } from './machine-context.ts';
import { machineFacts } from './machine-facts.ts';
import type { ImageStore } from './model/image.ts';
import type { CgroupResources, SandboxConfig } from './model/sandbox.ts';
import type { Network } from './network/network.ts';
import { observePod } from './observe.ts';
import { connectInNetwork } from './pod-port.ts';
import { podUsage } from './pod-usage.ts';
import { type ContainerRecord, instanceOf, openRecords } from './records.ts';
import { resizeContainer, resizePod } from './resize-resources.ts';
import { infraSpec } from './runtime/oci-spec.ts';
import { chooseRuntime, PROBE_ID, type RuntimeName, tryRuntime } from './runtime/runtime.ts';
import { createRuntimes } from './runtime/runtimes.ts';
import { createSeccompFilters } from './runtime/seccomp-filter.ts';
import { createSandbox, stopSandbox } from './sandbox.ts';
import { createSandboxWatches, type SandboxWatches } from './sandbox-watches.ts';
import { keepSwept, sweep } from './sweep.ts';
import {
  listVolumes,
  removeVolumes,
  resolveMount,
  setUpVolumes,
  volumeAttributes,
  volumeRecords,
} from './volumes/volumes.ts';
import { createWarmSandboxes, type WarmSandboxes } from './warm-sandboxes.ts';

export type LinuxMachineOptions = {
  readonly dirs: MachineDirs;
  /** Tells two engines of one machine apart: names the parent of the cgroups. */
  readonly instance: string;
  /** Only this one; absent: the first that works. */
  readonly runtime?: RuntimeName | undefined;
  readonly network: Network;
  readonly images: ImageStore & RootfsSource;
  readonly infra: Infra;
  /** What all pods may use together: the kubelet's enforceNodeAllocatable. Absent: all there is. */
  readonly podsTogether?: CgroupResources | undefined;
  /** Most sandboxes that are kept ready for pods to come; 0 for none. */
  readonly warmSandboxes: number;
  readonly clock: Clock;
  readonly log: Log;
};

export type LinuxMachine = Machine & {
  /** The OCI runtime that was found to work. */
  readonly runtime: RuntimeName;
  /** Before the network is taken away: close() does it, too. */
  endWarmSandboxes(): Promise<void>;
};

function volumesOf(dirs: MachineDirs, images: RootfsSource): Volumes {
  return {
    setUp: (setup, signal) => setUpVolumes({ dirs, images }, setup, signal),
    remove: (uid) => removeVolumes(dirs, uid),
    list: (uid) => listVolumes(dirs, uid),
    onDisk: (uid) =>
      volumeRecords(dirs, uid).flatMap((one) =>
        one.kind === 'emptyDir' && one.medium === 'disk' ? [one.name] : [],
      ),
    images: (uid) => volumeRecords(dirs, uid).flatMap((one) => (one.kind === 'image' ? [one.imageId] : [])),
    resolve: async (uid, source) => ({
      path: await resolveMount(dirs, uid, source),
      ...volumeAttributes(dirs, uid, source.name),
    }),
  };
}

/** A pod as the probe of the runtimes sees it: every kind of namespace, a cgroup of its own. */
const probeConfig = (instance: string): SandboxConfig => ({
  pod: { uid: `probe-${instance}` as PodUid, namespace: '', name: 'probe' },
  attempt: 0,
  hostname: 'probe',
  namespaces: { network: 'pod', ipc: 'pod', pid: 'pod' },
  portMappings: [],
  dns: 'node',
  hostAliases: [],
  sysctls: {},
  qosClass: 'BestEffort',
  podResources: {},
});

/** Throws RuntimeRefused. Everything an earlier engine on the same directories left is taken up before it returns. */
export async function createLinuxMachine(options: LinuxMachineOptions): Promise<LinuxMachine> {
  const { dirs, instance, network, images, infra, clock, log } = options;
  await mkdir(dirs.runDir, { recursive: true, mode: 0o700 });
  const facts = machineFacts(log);
  const cgroups = createCgroups(`podwright-${instance}`);
  const probePath = `/podwright-${instance}/probe`;
  const clearProbe = async (): Promise<void> => {
    await cgroups.remove(probePath);
    await rm(join(runtimeRoot(dirs), PROBE_ID), { recursive: true, force: true });
  };
  await clearProbe();
  if (options.podsTogether !== undefined)
    await cgroups.createPod(`/podwright-${instance}`, options.podsTogether);
  const probe = {
    probeDir: join(dirs.runDir, 'probe'),
    probeSpec: infraSpec({ config: probeConfig(instance), ...infra, cgroupsPath: probePath, facts }),
  };
  const { runtime, refused } = await chooseRuntime({
    root: runtimeRoot(dirs),
    wanted: options.runtime,
    ...probe,
  }).finally(clearProbe);
  log.info('OCI runtime', { runtime: runtime.name, refused: refused.join('; ') });
  const filters = createSeccompFilters(log);
  const listeners = new Set<(uid: PodUid) => void>();
  const records = await openRecords(dirs);
  const context: MachineContext = {
    dirs,
    runtime,
    runtimes: createRuntimes(runtime, (other) => tryRuntime(other, probe).finally(clearProbe)),
    facts,
    // runc knows no such thing.
    readyFilter: (profile, { name }) => (name === 'crun' ? filters(profile) : undefined),
    cgroups,
    records,
    network,
    volumes: volumesOf(dirs, images),
    images,
    infra,
    clock,
    log,
    changed: (uid) => {
      for (const listener of listeners) listener(uid);
    },
  };
  await sweep(context);
  const containers = new Containers(context);
  const sandboxes = createSandboxWatches(context);
  await Promise.all([containers.adopt(), sandboxes.adopt()]);
  const warm = createWarmSandboxes(context, options.warmSandboxes);
  const stopSweeping = keepSwept(context, warm);
  const parts = { containers, sandboxes, warm, listeners, stopSweeping };
  return { ...machineOf(context, parts), runtime: runtime.name, endWarmSandboxes: () => warm.close() };
}

type Parts = {
  readonly containers: Containers;
  readonly sandboxes: SandboxWatches;
  readonly warm: WarmSandboxes;
  readonly listeners: Set<(uid: PodUid) => void>;
  readonly stopSweeping: () => Promise<void>;
};

function imagesInUse({ records, volumes }: MachineContext): ReadonlySet<string> {
  const pods = records.pods();
  const ofContainers = pods.flatMap((pod) =>
    [...pod.containers.values()].map(({ config }) => config.imageId),
  );
  return new Set([...ofContainers, ...pods.flatMap(({ identity }) => volumes.images(identity.uid))]);
}

function machineOf(context: MachineContext, parts: Parts): Machine {
  const { containers, sandboxes, warm, listeners, stopSweeping } = parts;
  const { records, volumes, cgroups, dirs } = context;

  /** Until nothing runs in it; `end` undoes the sandbox then. */
  const quieten = async (uid: PodUid, attempt: number): Promise<{ readonly end: () => Promise<void> }> => {
    const record = records.sandbox(uid, attempt);
    if (record === undefined) return { end: async () => {} };
    sandboxes.unwatch(uid, attempt);
    await containers.endAll(uid, attempt);
    return { end: () => stopSandbox(context, record) };
  };

  const stop = async (uid: PodUid, attempt: number): Promise<void> => (await quieten(uid, attempt)).end();

  const removeSandbox = async (uid: PodUid, attempt: number): Promise<void> => {
    const { end } = await quieten(uid, attempt);
    const mine = [...(records.pod(uid)?.containers ?? [])].filter(
      ([, record]) => record.config.sandboxAttempt === attempt,
    );
    await allToTheirEnds([end(), ...mine.map(([id]) => containers.remove(id, { log: 'keep' }))]);
    await records.dropSandbox(uid, attempt);
  };

  const removePod = async (uid: PodUid): Promise<void> => {
    warm.busy();
    const pod = records.pod(uid);
    if (pod === undefined) return;
    const classes = new Set([...pod.sandboxes.values()].map(({ config }) => config.qosClass));
    for (const attempt of [...pod.sandboxes.keys()]) await removeSandbox(uid, attempt);
    for (const id of [...pod.containers.keys()]) await containers.remove(id, { log: 'remove' });
    await allToTheirEnds([
      volumes.remove(uid),
      rm(podLogDir(dirs, pod.identity), { recursive: true, force: true }),
      // Without a sandbox that says which it was, it may be any.
      ...(classes.size > 0 ? [...classes] : QOS_CLASSES).map((qosClass) =>
        cgroups.remove(cgroups.podPath(uid, qosClass)),
      ),
    ]);
    await records.dropPod(uid);
  };

  const createContainer: Machine['createContainer'] = async (config, signal) => {
    warm.busy();
    try {
      return await containers.create(config, signal);
    } catch (error) {
      // It may be for want of a process or memory: the next try finds all there is.
      if (isPodwrightError(error, 'CreateFailed')) await warm.giveBack();
      throw error;
    }
  };

  const running = (id: ContainerId): ContainerRecord => {
    const record = records.container(id);
    if (record === undefined) throw new PodwrightError('NotFound', `container ${id} does not exist`);
    if (record.phase !== 'running') throw new PodwrightError('NotFound', `container ${id} is not running`);
    return record;
  };

  const onChange = (listener: (uid: PodUid) => void): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };

  return {
    images: context.images,
    pods: () => records.pods().map((pod) => pod.identity),
    observe: (uid) => observePod(records.pod(uid), volumes.list),
    onChange,
    podUsage: (uid) => podUsage(context, records.pod(uid)),
    nodeUsage: () => nodeUsage(dirs.dataDir),
    podDisk: (uid) => podDisk(context, records.pod(uid)),
    imagesInUse: () => imagesInUse(context),
    createSandbox: async (config, signal) => {
      warm.busy();
      await createSandbox(context, config, { warm, signal });
      const record = records.sandbox(config.pod.uid, config.attempt);
      sandboxes.unwatch(config.pod.uid, config.attempt);
      if (record !== undefined) sandboxes.watch(record);
    },
    stopSandbox: stop,
    removeSandbox,
    setUpVolumes: async (setup, signal) => {
      await records.addPod(setup.pod);
      await volumes.setUp(setup, signal);
    },
    removePod,
    createContainer,
    startContainer: (id) => {
      warm.busy();
      return containers.start(id);
    },
    signalContainer: (id, signal) => containers.signal(id, signal),
    updateContainerResources: (id, resources, podResources) =>
      resizeContainer(context, id, { resources, podResources }),
    updatePodResources: (uid, podResources) => resizePod(context, uid, podResources),
    removeContainer: (id, options) => containers.remove(id, options),
    exec: async (id, options) => {
      const record = running(id);
      return execInContainer(
        {
          runtime: context.runtimes.of(record.config.runtimeHandler),
          id,
          bundle: containerDir(dirs, instanceOf(record.config)),
        },
        options,
      );
    },
    attach: async (id, options) => {
      const record = running(id);
      const bundle = containerDir(dirs, instanceOf(record.config));
      return attachToContainer({ bundle, pid: record.process?.pid ?? 0 }, options);
    },
    connectPort: async (uid, port) => {
      const sandbox = [...(records.pod(uid)?.sandboxes.values() ?? [])].find(
        ({ phase }) => phase === 'ready',
      );
      if (sandbox?.infra === undefined)
        throw new PodwrightError(
          'NetworkFailed',
          `connect to port ${port} of the pod: it has no network now`,
        );
      return connectInNetwork(`/proc/${sandbox.infra.pid}/ns/net`, port);
    },
    ...containerLogs(context, onChange),
    close: async () => {
      await stopSweeping();
      await warm.close();
      containers.close();
      sandboxes.close();
      listeners.clear();
      cgroups.removeParents();
      // Only where nothing is left in it; it is made again by the next engine.
      await rmdir(runtimeRoot(dirs)).catch((error: unknown) => {
        if (!['ENOENT', 'ENOTEMPTY'].includes(errnoOf(error) ?? '')) throw error;
      });
    },
  };
}
