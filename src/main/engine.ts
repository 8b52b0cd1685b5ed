// Wires the engine: store, API server, machine, agent and scheduler in one process. The only place that picks real parts.
//
// stop() ends the engine and leaves the containers: the next engine on the same directories adopts them. purge() ends the
// pods first and takes away what the engine made on the machine.
import { createHash } from 'node:crypto';
import { mkdir, realpath } from 'node:fs/promises';
import { availableParallelism, networkInterfaces, totalmem } from 'node:os';
import { join } from 'node:path';
import { type Agent, createAgent } from '../agent/agent.ts';
import { type ApiServer, createApiServer } from '../apiserver/apiserver.ts';
import { BOUNDS } from '../base/bounds.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { PodwrightError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { NodeApi } from '../client/node-api.ts';
import type { KubeObject, ResourceApi } from '../client/resource-api.ts';
import { PODS } from '../client/resources.ts';
import { createLocalProvisioner } from '../controllers/volumes/local-provisioner.ts';
import { runVolumesController } from '../controllers/volumes/volumes-controller.ts';
import { createImageStore } from '../machine/images/image-store.ts';
import { ensurePauseRootfs } from '../machine/images/pause-rootfs.ts';
import { type MachineDirs, persistentVolumesDir } from '../machine/layout.ts';
import { createLinuxMachine, type LinuxMachine } from '../machine/linux-machine.ts';
import type { Machine } from '../machine/machine.ts';
import { CNI_PLUGIN_DIRS } from '../machine/network/cni.ts';
import type { Network } from '../machine/network/network.ts';
import { createPodNetwork } from '../machine/network/pod-network.ts';
import { runScheduler } from '../scheduler/scheduler.ts';
import { openStore } from '../store/store.ts';
import { lockDataDir } from './lock.ts';

export type EngineOptions = MachineDirs & {
  readonly listen: { readonly host: string; readonly port: number };
  readonly nodeName: string;
  readonly podCidr: string;
  readonly manifestsDir?: string | undefined;
  readonly runtime?: 'crun' | 'runc' | undefined;
  /** A directory of the user's own CNI configurations. */
  readonly cniConfDir?: string | undefined;
  /** Longest restart back-off in milliseconds. Absent: Kubernetes' 5 minutes. */
  readonly maxContainerRestartPeriod?: number | undefined;
  readonly log: Log;
};

export type Engine = {
  readonly url: string;
  readonly kubeconfigPath: string;
  readonly api: ResourceApi;
  readonly node: NodeApi;
  readonly machine: Machine;
  stop(): Promise<void>;
  purge(): Promise<void>;
};

/** Eight hex digits that tell two engines of one machine apart; made of the data directory, so it survives restarts. */
async function instanceOf(dataDir: string): Promise<string> {
  return createHash('sha256')
    .update(await realpath(dataDir))
    .digest('hex')
    .slice(0, 8);
}

/** The address other machines know this one by; loopback where it has none. */
function nodeAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return addresses.find((one) => one.family === 'IPv4' && !one.internal)?.address ?? '127.0.0.1';
}

export async function startEngine(options: EngineOptions): Promise<Engine> {
  if (process.getuid?.() !== 0) {
    const remedy = 'it makes namespaces, mounts and cgroups: run it as root (sudo)';
    throw new PodwrightError('NotRoot', `start the engine: ${remedy}`);
  }
  for (const dir of [options.dataDir, options.runDir, options.logDir]) {
    await mkdir(dir, { recursive: true, mode: 0o700 });
  }
  const undo: Undo = [lockDataDir(options.dataDir)];
  try {
    return await wire(options, undo);
  } catch (error) {
    await unwind(undo);
    throw error;
  }
}

/** What takes back each part that was started, in the order of the starts. */
type Undo = (() => Promise<void> | void)[];

async function unwind(undo: Undo): Promise<void> {
  for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
}

async function wire(options: EngineOptions, undo: Undo): Promise<Engine> {
  const { log } = options;
  const clock = systemClock();
  const ended = new AbortController();
  let agent: Agent | undefined;

  const [cluster, { machine, network }] = await Promise.all([
    startCluster(options, { clock, nodeApi: () => agent?.nodeApi }, undo),
    startMachine(options, clock, undo),
  ]);
  const { server } = cluster;
  const api = server.resources;

  agent = createAgent({
    ...nodeOf(options),
    api,
    machine,
    clock,
    log,
    runtimeVersion: `${machine.runtime}://`,
    restartPeriodMsMax: options.maxContainerRestartPeriod,
  });
  const { nodeApi } = agent;
  await agent.start(ended.signal);
  undo.push(agent.stop);
  const scheduling = runScheduler({ api, clock, log }, ended.signal);
  undo.push(async () => {
    ended.abort();
    await scheduling;
  });
  const volumes = runVolumesController(
    { api, clock, log, provisioner: createLocalProvisioner(persistentVolumesDir(options), options.nodeName) },
    ended.signal,
  );
  undo.push(async () => {
    ended.abort();
    await volumes;
  });
  const listening = await server.listen({ ...options.listen, dataDir: options.dataDir });
  undo.push(listening.close);

  return {
    url: listening.url,
    kubeconfigPath: listening.kubeconfigPath,
    api,
    node: nodeApi,
    machine,
    stop: () => unwind(undo),
    async purge() {
      await deleteAllPods(api, machine);
      await network.tearDown();
    },
  };
}

type ClusterParts = { readonly clock: Clock; readonly nodeApi: () => NodeApi | undefined };

async function startCluster(
  { dataDir, log }: EngineOptions,
  parts: ClusterParts,
  undo: Undo,
): Promise<{ readonly server: ApiServer }> {
  const store = await openStore<KubeObject>({ path: join(dataDir, 'store') });
  undo.push(() => store.close());
  const server = await createApiServer({ store, ...parts, log });
  undo.push(server.close);
  return { server };
}

type MachineParts = { readonly machine: LinuxMachine; readonly network: Network };

async function startMachine(options: EngineOptions, clock: Clock, undo: Undo): Promise<MachineParts> {
  const { dataDir, runDir, logDir, runtime, podCidr, cniConfDir, log } = options;
  const dirs: MachineDirs = { dataDir, runDir, logDir };
  const instance = await instanceOf(dataDir);
  const images = createImageStore({ dirs, log });
  const network = createPodNetwork({
    dirs,
    instance,
    podCidr,
    confDir: cniConfDir,
    pluginDirs: CNI_PLUGIN_DIRS,
    log,
  });
  const [rootfs] = await Promise.all([
    ensurePauseRootfs(images, { signal: AbortSignal.timeout(BOUNDS.programTimeoutMs) }),
    network.start(),
  ]);
  const infra = { rootfs, args: ['/pause'] };
  const machine = await createLinuxMachine({ dirs, instance, runtime, network, images, infra, clock, log });
  undo.push(machine.close);
  return { machine, network };
}

/** The node as the agent registers it: all of the machine is its capacity. */
function nodeOf({ nodeName, manifestsDir }: EngineOptions) {
  const capacity = {
    cpu: String(availableParallelism()),
    memory: `${Math.floor(totalmem() / 1024)}Ki`,
    pods: String(BOUNDS.podsPerNode),
  };
  return { nodeName, nodeIp: nodeAddress(), manifestsDir, capacity, version: 'v1.36.2+podwright' };
}

/** Asks every pod to end, each with its own grace, and waits until the machine holds nothing any more. */
async function deleteAllPods(api: ResourceApi, machine: Machine): Promise<void> {
  const { items } = await api.list(PODS);
  const gone = new Promise<void>((resolve) => {
    const check = (): void => {
      if (machine.pods().length > 0) return;
      clearInterval(timer);
      resolve();
    };
    // Only at the very end of an engine's life: the machine tells of deaths, not of removals it was asked for.
    const timer = setInterval(check, 20);
  });
  for (const { metadata } of items) {
    await api.delete(PODS, { namespace: metadata?.namespace, name: metadata?.name ?? '' });
  }
  await gone;
}
