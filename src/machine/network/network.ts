// The network of a sandbox, as the sandbox code sees it; implemented over CNI in cni.ts.
import type { PodIdentity, PortMapping } from '../machine.ts';

export type NetworkRequest = {
  readonly pod: PodIdentity;
  /** CNI_CONTAINERID: unique per sandbox attempt. */
  readonly sandboxId: string;
  /** "/proc/<pid of the infra container>/ns/net"; absent in a removal when the namespace is gone already. */
  readonly netnsPath?: string | undefined;
  readonly portMappings: readonly PortMapping[];
};

export type Network = {
  /** Loopback up, interface, address, routes, host ports; returns the pod's addresses without prefix length. */
  add(
    request: NetworkRequest & { readonly netnsPath: string },
    signal: AbortSignal,
  ): Promise<readonly string[]>;
  /** The undo of add; works also where add never ran or only half, and after the namespace is gone. */
  remove(request: NetworkRequest): Promise<void>;
  /** Engine start: forwarding, the one masquerade rule for the whole CIDR. */
  start(): Promise<void>;
  /** Takes away what start made and the bridge, if no pod uses it any more. */
  tearDown(): Promise<void>;
};
