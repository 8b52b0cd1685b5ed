// Which network new pods get: that of a user's directory of CNI configurations where one is named, else the engine's own
// bridge. Old pods are removed by whichever made them, also after the engine was started the other way.

import { type BridgeNetworkOptions, createBridgeNetwork } from './bridge-network.ts';
import { type CniNetworkOptions, createCniNetwork } from './cni.ts';
import type { Network } from './network.ts';

export type PodNetworkOptions = Omit<BridgeNetworkOptions, 'serves'> &
  Pick<CniNetworkOptions, 'pluginDirs'> & {
    /** A user's own configuration in place of the bridge; then forwarding and masquerading are the user's too. */
    readonly confDir?: string | undefined;
  };

/** Throws InvalidInput for a CIDR that is none. start() comes first. */
export function createPodNetwork(options: PodNetworkOptions): Network {
  const { confDir } = options;
  const bridge = createBridgeNetwork({
    ...options,
    serves: confDir === undefined ? 'new pods' : 'earlier pods',
  });
  const cni = createCniNetwork(options);
  const chosen = confDir === undefined ? bridge : cni;
  const both = [bridge, cni];
  const inTurn = async (work: (network: Network) => Promise<void>): Promise<void> => {
    for (const network of both) await work(network);
  };
  return {
    start: () => inTurn((network) => network.start()),
    openService: (service) => chosen.openService(service),
    add: (request, signal) => chosen.add(request, signal),
    ...(chosen.handOver === undefined ? {} : { handOver: chosen.handOver }),
    remove: (request) => inTurn((network) => network.remove(request)),
    retain: (sandboxIds) => inTurn((network) => network.retain(sandboxIds)),
    tearDown: () => inTurn((network) => network.tearDown()),
  };
}
