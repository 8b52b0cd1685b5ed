// What the plug-ins see of a node: its object and the sum of what the pods on it hold. Read-only to everyone but
// cluster-state.ts, which keeps the sums.
import type { Node, Pod } from '../kube/api-types.ts';
import type { ResourceAmounts } from '../kube/pod.ts';

export type HostPort = { readonly hostIP: string; readonly protocol: string; readonly port: number };

export type NodeInfo = {
  readonly node: Node;
  /** cpu in milli, everything else in whole units. */
  readonly allocatable: ResourceAmounts;
  readonly requested: ResourceAmounts;
  readonly podCount: number;
  readonly hostPorts: readonly HostPort[];
};

/** hostIP "0.0.0.0" stands for every address, as in kube-scheduler. */
export function hostPortsOf(pod: Pod): readonly HostPort[] {
  const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  return containers
    .flatMap((container) => container.ports ?? [])
    .filter((port) => port.hostPort)
    .map((port) => ({
      hostIP: port.hostIP || '0.0.0.0',
      protocol: port.protocol ?? 'TCP',
      port: port.hostPort ?? 0,
    }));
}
