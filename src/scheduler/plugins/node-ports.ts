// NodePorts: a host port is taken once per address and protocol of a node.

import { portsConflict } from '../../kube/host-ports.ts';
import type { PlacedPod } from '../cluster.ts';
import { filterOf, type Plugin } from '../framework.ts';

export const nodePorts: Plugin = {
  name: 'NodePorts',
  prepare({ hostPorts }, { cluster }) {
    if (hostPorts.length === 0) return undefined;
    const reason = {
      text: "node(s) didn't have free ports for the requested pod ports",
      isResolvable: true,
    };
    const holds = ({ podClass }: PlacedPod): boolean =>
      podClass.hostPorts.some((taken) => hostPorts.some((wanted) => portsConflict(wanted, taken)));
    return {
      scope: 'usage',
      filter: filterOf((node) => !cluster.podsOn(node).some(holds), {
        reason: () => reason,
        remedies: (node) => [
          {
            kind: 'leave',
            uids: cluster
              .podsOn(node)
              .filter(holds)
              .map(({ uid }) => uid),
          },
        ],
      }),
    };
  },
};
