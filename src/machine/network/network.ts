// The network of a sandbox, as the sandbox code sees it. Two things implement it, the engine's own bridge
// (bridge-network.ts) and CNI plug-ins by a user's configuration (cni.ts); both pass the same contract
// (test/machine/network-contract.ts). pod-network.ts chooses.
import type { PodIdentity } from '../model/pod-identity.ts';
import type { PortMapping } from '../model/sandbox.ts';

export type NetworkRequest = {
  readonly pod: PodIdentity;
  /** CNI_CONTAINERID: unique per sandbox attempt. */
  readonly sandboxId: string;
  /** "/proc/<pid of the infra container>/ns/net"; absent in a removal when the namespace is gone already. */
  readonly netnsPath?: string | undefined;
  readonly portMappings: readonly PortMapping[];
};

/** An address that pods alone see, and where on this machine it leads. TCP. */
export type PodService = {
  readonly address: string;
  readonly port: number;
  readonly target: { readonly address: string; readonly port: number };
};

export type Network = {
  /** Lets every pod, present and to come, reach the target at the service's address. False: not on this network. */
  openService(service: PodService): Promise<boolean>;
  /** Loopback up, interface, address, routes, host ports; returns the pod's addresses without prefix length. */
  add(
    request: NetworkRequest & { readonly netnsPath: string },
    signal: AbortSignal,
  ): Promise<readonly string[]>;
  /**
   * The undo of add; works also where add never ran or only half, and after the namespace is gone. What is inside a
   * namespace that the caller is about to end may be left to the kernel.
   */
  remove(request: NetworkRequest): Promise<void>;
  /**
   * Gives what add made for one sandbox, without host ports, to the request's, and opens its host ports. Returns the
   * addresses. Absent where what was made bears a sandbox's name for ever; then there are no warm sandboxes.
   */
  readonly handOver?: (
    from: string,
    request: NetworkRequest & { readonly netnsPath: string },
    signal: AbortSignal,
  ) => Promise<readonly string[]>;
  /** Engine start: whatever an earlier engine noted, and what the machine needs before the first pod. */
  start(): Promise<void>;
  /** Removes for every sandbox but these: the others no longer exist (after a reboot, for one). Only after start(). */
  retain(sandboxIds: ReadonlySet<string>): Promise<void>;
  /** Takes away what start made and the bridge, if no pod uses it any more. */
  tearDown(): Promise<void>;
};
