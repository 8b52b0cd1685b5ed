// The engine's own network: a bridge, addresses out of one range, host ports; set up by netlink and one nftables table,
// without starting a program for a pod that has no host port. A user's CNI configuration is cni.ts.
//
// Invariants
// - A lease is on disk before the first thing of it exists in the kernel, and goes after the last.
// - An address and a host port have one lease each. Both are taken without a pause between look and take.
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { allToTheirEnds } from '../../base/all-to-their-ends.ts';
import { errorText, PodwrightError } from '../../base/errors.ts';
import { putFile } from '../../base/files.ts';
import type { Log } from '../../base/log.ts';
import { type MachineDirs, networkDir } from '../layout.ts';
import type { PodIdentity } from '../model/pod-identity.ts';
import type { PortMapping } from '../model/sandbox.ts';
import { type AddressRange, addressNumber, nextAddress, parseRange } from './address-range.ts';
import { type Bridge, connectPod, ensureBridge, removeBridge } from './bridge.ts';
import { refuseBoundPorts, refuseHeldPorts } from './host-ports.ts';
import {
  closeHostPorts,
  type HostRules,
  installHostRules,
  isAnyAddress,
  openHostPorts,
  openService,
  removeHostRules,
} from './host-rules.ts';
import { forgetUdpFlows } from './netlink/conntrack.ts';
import { NETLINK, openNetlink } from './netlink/socket.ts';
import type { Network, NetworkRequest, PodService } from './network.ts';

export type BridgeNetworkOptions = {
  readonly dirs: MachineDirs;
  /** Names the engine on this machine; its first 8 characters go into the bridge's name. */
  readonly instance: string;
  /** IPv4, as "10.88.0.0/16"; its first address is the bridge's. */
  readonly podCidr: string;
  /** Holds the ranges of all nodes of the engine. Absent: there is no other. */
  readonly clusterCidr?: string | undefined;
  /** Where host ports answer that name no address of their own. Absent: everywhere. */
  readonly hostPortAddress?: string | undefined;
  /** With 'earlier pods' nothing is set up on the machine unless there is one. */
  readonly serves: 'new pods' | 'earlier pods';
  readonly log: Log;
};

type Lease = {
  readonly sandboxId: string;
  readonly pod: PodIdentity;
  readonly address: string;
  readonly portMappings: readonly PortMapping[];
};

class BridgeNetwork implements Network {
  readonly #log: Log;
  readonly #serves: BridgeNetworkOptions['serves'];
  readonly #range: AddressRange;
  readonly #bridge: Bridge;
  readonly #rules: HostRules;
  readonly #leaseDir: string;
  readonly #hostPortAddress: string | undefined;
  readonly #leases = new Map<string, Lease>();
  readonly #services: PodService[] = [];
  #newest: string | undefined;

  constructor(options: BridgeNetworkOptions) {
    const { dirs, instance, podCidr, clusterCidr = podCidr, serves, log } = options;
    const stateDir = networkDir(dirs);
    const name = `pw-${instance.slice(0, 8)}`;
    this.#log = log;
    this.#serves = serves;
    this.#range = parseRange(podCidr);
    this.#bridge = { name, instance, range: this.#range };
    this.#rules = { name: `podwright-${instance}`, bridge: name, podCidr, clusterCidr, stateDir, log };
    this.#leaseDir = join(stateDir, 'leases');
    this.#hostPortAddress = options.hostPortAddress;
  }

  async start(): Promise<void> {
    await mkdir(this.#leaseDir, { recursive: true });
    for (const name of await readdir(this.#leaseDir)) await this.#load(name);
    this.#newest = [...this.#leases.values()]
      .map(({ address }) => address)
      .sort((a, b) => addressNumber(a) - addressNumber(b))
      .at(-1);
    if (this.#serves === 'earlier pods' && this.#leases.size === 0) return;
    // The bridge first: passing on from loopback is switched on for it alone.
    await ensureBridge(this.#bridge);
    await this.#installRules();
  }

  async openService(service: PodService): Promise<boolean> {
    this.#services.push(service);
    await openService(this.#rules, service);
    return true;
  }

  #installRules(): Promise<void> {
    return installHostRules(this.#rules, { ports: [...this.#leases.values()], services: this.#services });
  }

  async add(
    request: NetworkRequest & { readonly netnsPath: string },
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const { sandboxId, netnsPath } = request;
    await this.remove(request);
    const lease = this.#take(request);
    try {
      putFile(this.#leasePath(sandboxId), JSON.stringify(lease));
      signal.throwIfAborted();
      await allToTheirEnds([connectPod(this.#bridge, lease.address, netnsPath), this.#openPorts(lease)]);
      signal.throwIfAborted();
      return [lease.address];
    } catch (error) {
      await this.#undoOf(request, error);
      throw error;
    }
  }

  async #undoOf(request: NetworkRequest, error: unknown): Promise<void> {
    await this.remove(request).catch((left: unknown) =>
      this.#log.warn('undo of a failed network set-up failed; it is tried again with the sandbox', {
        error: errorText(error),
        undoError: errorText(left),
      }),
    );
  }

  /** Both leases hold the address for a moment: a crash in between leaves it taken until both are removed. */
  readonly handOver: NonNullable<Network['handOver']> = async (from, request, signal) => {
    const former = this.#leases.get(from);
    if (former === undefined) throw new PodwrightError('NetworkFailed', `sandbox ${from} has no address`);
    const { sandboxId, pod, portMappings } = request;
    refuseHeldPorts({ pod, portMappings }, this.#leases.values());
    const lease = { sandboxId, pod, address: former.address, portMappings };
    this.#leases.set(sandboxId, lease);
    try {
      putFile(this.#leasePath(sandboxId), JSON.stringify(lease));
      await this.#openPorts(lease);
      signal.throwIfAborted();
    } catch (error) {
      await this.#undoOf(request, error);
      throw error;
    }
    await this.#forget(from);
    return [lease.address];
  };

  /** The pair of interfaces ends with the pod's namespace: taking it away by hand would make each removal wait for it. */
  async remove({ sandboxId }: NetworkRequest): Promise<void> {
    const lease = this.#leases.get(sandboxId);
    if (lease === undefined) return;
    if (lease.portMappings.length > 0) await closeHostPorts(this.#rules, lease);
    await this.#forget(sandboxId);
  }

  async #forget(sandboxId: string): Promise<void> {
    await rm(this.#leasePath(sandboxId), { force: true });
    this.#leases.delete(sandboxId);
  }

  async retain(sandboxIds: ReadonlySet<string>): Promise<void> {
    for (const lease of [...this.#leases.values()]) {
      if (sandboxIds.has(lease.sandboxId)) continue;
      await this.remove(lease);
      const { namespace, name } = lease.pod;
      this.#log.info('gave back the address of a sandbox that is gone', { pod: `${namespace}/${name}` });
    }
  }

  async tearDown(): Promise<void> {
    if (this.#leases.size > 0) return;
    await removeHostRules(this.#rules);
    await removeBridge(this.#bridge);
    await rm(this.#leaseDir, { recursive: true, force: true });
  }

  #take({ sandboxId, pod, portMappings: wanted }: NetworkRequest): Lease {
    const here = this.#hostPortAddress;
    const portMappings = wanted.map((one) =>
      here !== undefined && isAnyAddress(one.hostIP) ? { ...one, hostIP: here } : one,
    );
    refuseHeldPorts({ pod, portMappings }, this.#leases.values());
    const taken = new Set([...this.#leases.values()].map((lease) => lease.address));
    const address = nextAddress(this.#range, taken, this.#newest);
    if (address === undefined) {
      throw new PodwrightError(
        'NetworkFailed',
        `every pod address of ${this.#range.cidr} is taken; remove pods or serve with a larger --pod-cidr`,
      );
    }
    const lease = { sandboxId, pod, address, portMappings };
    this.#newest = address;
    this.#leases.set(sandboxId, lease);
    return lease;
  }

  async #openPorts(lease: Lease): Promise<void> {
    if (lease.portMappings.length === 0) return;
    await refuseBoundPorts(lease.portMappings);
    try {
      await openHostPorts(this.#rules, lease);
    } catch (error) {
      // Somebody flushed the rules of the machine: everything of ours once more, this pod's included.
      this.#log.warn("the engine's firewall table is made anew", { error: errorText(error) });
      await this.#installRules();
    }
    await forgetFlows(lease.portMappings);
  }

  /** A file that a power failure cut off: its namespace is gone, too, and its address is nobody's. */
  async #load(fileName: string): Promise<void> {
    const path = join(this.#leaseDir, fileName);
    try {
      if (!fileName.endsWith('.json')) throw new Error('it was never finished');
      const lease = JSON.parse(await readFile(path, 'utf8')) as Lease;
      this.#leases.set(lease.sandboxId, lease);
    } catch (error) {
      this.#log.warn('an address lease is damaged and given back', { path, error: errorText(error) });
      await rm(path, { force: true });
    }
  }

  #leasePath(sandboxId: string): string {
    return join(this.#leaseDir, `${sandboxId}.json`);
  }
}

async function forgetFlows(mappings: readonly PortMapping[]): Promise<void> {
  const messages = mappings
    .filter((one) => one.protocol === 'UDP')
    .map((one) => forgetUdpFlows(one.hostPort));
  if (messages.length === 0) return;
  const socket = openNetlink(NETLINK.NETFILTER);
  try {
    await socket.ask(messages);
  } finally {
    socket.close();
  }
}

/** Throws InvalidInput for a CIDR that is none. start() comes first. */
export function createBridgeNetwork(options: BridgeNetworkOptions): Network {
  return new BridgeNetwork(options);
}
