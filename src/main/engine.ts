// Wires the engine: store, API server, nodes, scheduler and controllers in one process. The only place that picks real
// parts.
//
// stop() ends the engine and leaves the containers: the next engine on the same directories adopts them. purge() ends the
// pods first and takes away what the engine made on the machine.
import { join } from 'node:path';
import type { Agent } from '../agent/agent.ts';
import { type ApiServer, createApiServer } from '../apiserver/apiserver.ts';
import { openAuditLog } from '../apiserver/audit-log.ts';
import { BOUNDS } from '../base/bounds.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { PodwrightError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { NodeLookup } from '../client/node-api.ts';
import type { KubeObject, ResourceApi } from '../client/resource-api.ts';
import { PODS } from '../client/resources.ts';
import { runClusterRoleAggregation } from '../controllers/cluster-role-aggregation.ts';
import { runDisruptionController } from '../controllers/disruption/disruption-controller.ts';
import { runGarbageCollector } from '../controllers/garbage/garbage-collector.ts';
import { runNamespaceObjects } from '../controllers/namespace-objects.ts';
import { runTaintsController } from '../controllers/nodes/taints-controller.ts';
import { runQuotaController } from '../controllers/quota/quota-controller.ts';
import { createLocalProvisioner } from '../controllers/volumes/local-provisioner.ts';
import { runVolumesController } from '../controllers/volumes/volumes-controller.ts';
import type { KubeletConfiguration } from '../kube/kubelet-configuration.ts';
import { createImageStore } from '../machine/images/image-store.ts';
import { ensurePauseRootfs } from '../machine/images/pause-rootfs.ts';
import { type MachineDirs, persistentVolumesDir } from '../machine/layout.ts';
import type { Machine } from '../machine/machine.ts';
import type { ImageStore } from '../machine/model/image.ts';
import { serviceAddressBeside } from '../machine/network/service-address.ts';
import type { Profile } from '../scheduler/profile.ts';
import { runScheduler } from '../scheduler/scheduler.ts';
import { openStore } from '../store/store.ts';
import { lockDataDir } from './lock.ts';
import {
  type ApiPlace,
  agentOf,
  connectToApi,
  makeDirs,
  type NodeMachine,
  type NodeOptions,
  type NodeParts,
  startMachine,
} from './node.ts';

export type EngineOptions = MachineDirs & {
  readonly listen: { readonly host: string; readonly port: number };
  /** At least one; names, directories and address ranges differ. */
  readonly nodes: readonly NodeOptions[];
  /** Holds the ranges of all nodes. */
  readonly clusterCidr: string;
  readonly runtime?: 'crun' | 'runc' | undefined;
  /** Sandboxes kept ready for pods to come. Absent: a few. */
  readonly warmSandboxes?: number | undefined;
  /** A directory of the user's own CNI configurations. */
  readonly cniConfDir?: string | undefined;
  /** The scheduler's, one per schedulerName it answers to. Absent: default-scheduler as it comes. */
  readonly profiles?: readonly Profile[] | undefined;
  /** Longest restart back-off in milliseconds. Absent: Kubernetes' 5 minutes. */
  readonly maxContainerRestartPeriod?: number | undefined;
  /** How nodes are kept in order. Absent: as Kubernetes does by default. */
  readonly kubelet?: KubeletConfiguration | undefined;
  /** A file for the audit log. Absent: there is none. */
  readonly auditLog?: string | undefined;
  readonly log: Log;
};

export type Engine = {
  readonly url: string;
  readonly kubeconfigPath: string;
  readonly api: ResourceApi;
  readonly images: ImageStore;
  stop(): Promise<void>;
  purge(): Promise<void>;
};

/** The ordinary engine's node: the whole computer, in the engine's own directories. */
export function wholeComputer(
  { dataDir, runDir, logDir }: MachineDirs,
  node: Omit<NodeOptions, 'dirs'>,
): Pick<EngineOptions, 'nodes' | 'clusterCidr'> {
  return { nodes: [{ ...node, dirs: { dataDir, runDir, logDir } }], clusterCidr: node.podCidr };
}

export async function startEngine(options: EngineOptions): Promise<Engine> {
  if (process.getuid?.() !== 0) {
    const remedy = 'it makes namespaces, mounts and cgroups: run it as root (sudo)';
    throw new PodwrightError('NotRoot', `start the engine: ${remedy}`);
  }
  await makeDirs(options);
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
  const agents = new Map<string, Agent>();
  const images = createImageStore({ dirs: options, log });

  const [server, machines] = await Promise.all([
    startCluster(options, { clock, nodeApi: (name) => agents.get(name)?.nodeApi }, undo),
    startMachines(options, { images, clock }, undo),
  ]);
  const api = server.resources;
  const serviceAddress = serviceAddressBeside(options.clusterCidr);
  const audit =
    options.auditLog === undefined ? undefined : await openAuditLog({ path: options.auditLog, log });
  if (audit !== undefined) undo.push(() => audit.close());
  const listening = await server.listen({ ...options.listen, serviceAddress, audit });
  undo.push(listening.close);
  await startAgents(machines, { api, agents, place: { ...listening, serviceAddress } }, undo);
  runControllers(options, { server, clock }, undo);

  return {
    url: listening.url,
    kubeconfigPath: listening.kubeconfigPath,
    api,
    images,
    stop: () => unwind(undo),
    async purge() {
      await deleteAllPods(
        api,
        machines.nodes.map(({ machine }) => machine),
        log,
      );
      for (const { machine, network } of machines.nodes) {
        await machine.endWarmSandboxes();
        await network.tearDown();
      }
    },
  };
}

type ClusterParts = { readonly clock: Clock; readonly nodeApi: NodeLookup };

async function startCluster(
  { dataDir, log }: EngineOptions,
  parts: ClusterParts,
  undo: Undo,
): Promise<ApiServer> {
  const store = await openStore<KubeObject>({ path: join(dataDir, 'store') });
  undo.push(() => store.close());
  const server = await createApiServer({ store, ...parts, dataDir, log });
  undo.push(server.close);
  return server;
}

type Machines = { readonly parts: NodeParts; readonly nodes: readonly NodeMachine[] };

/** All to their ends, even when one fails: the undo must have nothing running beside it. */
async function startMachines(
  options: EngineOptions,
  { images, clock }: Pick<NodeParts, 'images' | 'clock'>,
  undo: Undo,
): Promise<Machines> {
  const { clusterCidr, runtime, cniConfDir, maxContainerRestartPeriod, kubelet, log } = options;
  const { warmSandboxes = BOUNDS.warmSandboxes } = options;
  const signal = AbortSignal.timeout(BOUNDS.programTimeoutMs);
  const infra = { rootfs: await ensurePauseRootfs(images, { signal }), args: ['/pause'] };
  const restartPeriodMsMax = maxContainerRestartPeriod;
  const parts: NodeParts = {
    images,
    infra,
    clusterCidr,
    runtime,
    warmSandboxes,
    cniConfDir,
    restartPeriodMsMax,
    kubelet,
    clock,
    log,
  };
  const started = await Promise.allSettled(
    options.nodes.map(async (node) => {
      const one = await startMachine(node, parts);
      undo.push(one.machine.close);
      return one;
    }),
  );
  const nodes = started.map((one) => {
    if (one.status === 'rejected') throw one.reason;
    return one.value;
  });
  return { parts, nodes };
}

type AgentParts = {
  readonly api: ResourceApi;
  readonly agents: Map<string, Agent>;
  readonly place: ApiPlace;
};

async function startAgents(
  { parts, nodes }: Machines,
  { api, agents, place }: AgentParts,
  undo: Undo,
): Promise<void> {
  const ended = new AbortController();
  for (const node of nodes) {
    const apiEndpoints = await connectToApi(node, place, parts.log);
    const agent = agentOf(node, { api, apiEndpoints }, parts);
    agents.set(node.options.name, agent);
    undo.push(agent.stop);
  }
  await Promise.all([...agents.values()].map((agent) => agent.start(ended.signal)));
}

function runControllers(
  options: EngineOptions,
  { server, clock }: { readonly server: ApiServer; readonly clock: Clock },
  undo: Undo,
): void {
  const { log, nodes } = options;
  const { resources: api, ca, kinds } = server;
  const ended = new AbortController();
  const provisioner = createLocalProvisioner(
    persistentVolumesDir(options),
    nodes.map(({ name }) => name),
  );
  const running = [
    runScheduler({ api, clock, log, profiles: options.profiles }, ended.signal),
    runVolumesController({ api, clock, log, provisioner }, ended.signal),
    runNamespaceObjects({ api, clock, log, ca }, ended.signal),
    runClusterRoleAggregation({ api, clock, log }, ended.signal),
    runDisruptionController({ api, clock, log }, ended.signal),
    runGarbageCollector({ api, clock, log, kinds }, ended.signal),
    runQuotaController({ api, clock, log, kinds }, ended.signal),
    runTaintsController({ api, log }, ended.signal),
  ];
  undo.push(async () => {
    ended.abort();
    await Promise.all(running);
  });
}

/**
 * Asks every pod to end, each with its own grace, and waits until no machine holds anything any more. Says which pods it
 * still waits for: one whose CSI driver is away does not go before the driver is back.
 */
async function deleteAllPods(api: ResourceApi, machines: readonly Machine[], log: Log): Promise<void> {
  const { items } = await api.list(PODS);
  const left = () => machines.flatMap((machine) => machine.pods());
  const gone = new Promise<void>((resolve) => {
    const check = (): void => {
      if (left().length > 0) return;
      clearInterval(timer);
      clearInterval(teller);
      resolve();
    };
    // Only at the very end of an engine's life: the machine tells of deaths, not of removals it was asked for.
    const timer = setInterval(check, 20);
    const tell = (): void => {
      const pods = left().map(({ namespace, name }) => `${namespace}/${name}`);
      log.warn('waiting for pods to end', { pods: pods.join(' ') });
    };
    const teller = setInterval(tell, BOUNDS.purgeTellMs);
  });
  for (const { metadata } of items) {
    await api.delete(PODS, { namespace: metadata?.namespace, name: metadata?.name ?? '' });
  }
  await gone;
}
