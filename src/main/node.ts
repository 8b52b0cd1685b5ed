// One node of the engine: a machine of its own (directories, cgroup tree, bridge with its range of addresses) and the
// agent that serves it. An engine has one; a lab has several on the same computer. They share the images and nothing else,
// so no sweep, name or address of one is ever another's.
import { createHash } from 'node:crypto';
import { mkdir, realpath } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { availableParallelism, networkInterfaces, totalmem } from 'node:os';
import { type Agent, createAgent } from '../agent/agent.ts';
import type { ApiEndpoints } from '../agent/service-env.ts';
import { BOUNDS } from '../base/bounds.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { ResourceApi } from '../client/resource-api.ts';
import type { Quantity, Taint } from '../kube/api-types.ts';
import type { KubeletConfiguration } from '../kube/kubelet-configuration.ts';
import { quantityMilli, quantityValue } from '../kube/quantity.ts';
import type { RootfsSource } from '../machine/images/rootfs.ts';
import type { MachineDirs } from '../machine/layout.ts';
import { createLinuxMachine, type LinuxMachine } from '../machine/linux-machine.ts';
import type { Infra } from '../machine/machine-context.ts';
import type { ImageStore } from '../machine/model/image.ts';
import type { CgroupResources } from '../machine/model/sandbox.ts';
import { CNI_PLUGIN_DIRS } from '../machine/network/cni.ts';
import type { Network } from '../machine/network/network.ts';
import { createPodNetwork } from '../machine/network/pod-network.ts';
import { SERVICE_PORT } from '../machine/network/service-address.ts';

export type NodeOptions = {
  readonly name: string;
  /** No other node's. */
  readonly dirs: MachineDirs;
  readonly podCidr: string;
  /** What is not named is the computer's own. Pods together get no more memory than is named here. */
  readonly capacity?: Readonly<Record<string, Quantity>> | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly taints?: readonly Taint[] | undefined;
  /** The node's own address, at which alone its host ports answer. Absent: all of the computer's. */
  readonly address?: string | undefined;
  readonly manifestsDir?: string | undefined;
};

/** What the nodes of an engine have in common. */
export type NodeParts = {
  readonly images: ImageStore & RootfsSource;
  readonly infra: Infra;
  /** Holds every node's range: pods reach each other under their own addresses. */
  readonly clusterCidr: string;
  readonly runtime?: 'crun' | 'runc' | undefined;
  readonly warmSandboxes: number;
  readonly cniConfDir?: string | undefined;
  readonly restartPeriodMsMax?: number | undefined;
  readonly kubelet?: KubeletConfiguration | undefined;
  readonly clock: Clock;
  readonly log: Log;
};

export type NodeMachine = {
  readonly options: NodeOptions;
  readonly machine: LinuxMachine;
  readonly network: Network;
};

/** Eight hex digits that tell two nodes of one computer apart; made of the data directory, so they survive restarts. */
async function instanceOf(dataDir: string): Promise<string> {
  return createHash('sha256')
    .update(await realpath(dataDir))
    .digest('hex')
    .slice(0, 8);
}

/** The address other machines know this one by; loopback where it has none. */
function computerAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return addresses.find((one) => one.family === 'IPv4' && !one.internal)?.address ?? '127.0.0.1';
}

export async function makeDirs({ dataDir, runDir, logDir }: MachineDirs): Promise<void> {
  for (const dir of [dataDir, runDir, logDir]) await mkdir(dir, { recursive: true, mode: 0o700 });
}

export async function startMachine(options: NodeOptions, parts: NodeParts): Promise<NodeMachine> {
  const { dirs, podCidr, capacity } = options;
  const { images, infra, runtime, warmSandboxes, clusterCidr, cniConfDir, clock, log } = parts;
  await makeDirs(dirs);
  const instance = await instanceOf(dirs.dataDir);
  const network = createPodNetwork({
    dirs,
    instance,
    podCidr,
    clusterCidr,
    hostPortAddress: options.address,
    confDir: cniConfDir,
    pluginDirs: CNI_PLUGIN_DIRS,
    log,
  });
  await network.start();
  const podsTogether = capacity === undefined ? undefined : limitsOf({ ...computerCapacity(), ...capacity });
  const machine = await createLinuxMachine({
    dirs,
    instance,
    runtime,
    network,
    images,
    infra,
    podsTogether,
    warmSandboxes,
    clock,
    log,
  });
  return { options, network, machine };
}

/** Where the API answers on this computer, and the address at which pods look for it. */
export type ApiPlace = { readonly host: string; readonly port: number; readonly serviceAddress: string };

/** Leads the service's address to the API, and to nothing else of this computer, on the node's own network. */
export async function connectToApi(
  { network, options }: NodeMachine,
  { host, port, serviceAddress }: ApiPlace,
  log: Log,
): Promise<ApiEndpoints> {
  const node = { host, port };
  const service = { address: serviceAddress, port: SERVICE_PORT, target: { address: host, port } };
  if (isIPv4(host) && (await network.openService(service)))
    return { node, pod: { host: serviceAddress, port: SERVICE_PORT } };
  log.info('pods do not reach the API at kubernetes.default.svc', {
    node: options.name,
    why: isIPv4(host) ? 'they are on a network of your own (--cni-conf-dir)' : 'it listens on IPv6 alone',
  });
  return { node };
}

export function agentOf(
  { options, machine }: NodeMachine,
  { api, apiEndpoints }: { readonly api: ResourceApi; readonly apiEndpoints: ApiEndpoints },
  parts: NodeParts,
): Agent {
  const { name, address, capacity, labels, taints, podCidr, manifestsDir } = options;
  return createAgent({
    api,
    machine,
    nodeName: name,
    nodeIp: address ?? computerAddress(),
    capacity: { ...computerCapacity(), 'ephemeral-storage': diskOf(machine), ...capacity },
    labels,
    taints,
    podCidr,
    manifestsDir,
    runtimeVersion: `${machine.runtime}://`,
    version: 'v1.36.2+podwright',
    apiEndpoints,
    restartPeriodMsMax: parts.restartPeriodMsMax,
    kubelet: parts.kubelet,
    clock: parts.clock,
    log: parts.log,
  });
}

/** As the kubelet sets up the parent of all pods' cgroups: memory is a wall, cpu a share. */
function limitsOf({ cpu = 0, memory = 0 }: Readonly<Record<string, Quantity>>): CgroupResources {
  return { cpuRequestMilli: quantityMilli(cpu), memoryLimitBytes: quantityValue(memory) };
}

/** Of the file system pods write to. */
function diskOf(machine: LinuxMachine): Quantity {
  return `${Math.floor(machine.nodeUsage().fs.capacityBytes / 1024)}Ki`;
}

function computerCapacity(): Readonly<Record<string, Quantity>> {
  return {
    cpu: String(availableParallelism()),
    memory: `${Math.floor(totalmem() / 1024)}Ki`,
    pods: String(BOUNDS.podsPerNode),
  };
}
