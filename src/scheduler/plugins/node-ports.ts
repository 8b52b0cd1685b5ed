// NodePorts: a host port is taken once per address and protocol of a node.

import { filterOf, type Plugin } from '../framework.ts';
import { portsConflict } from '../host-ports.ts';

export const nodePorts: Plugin = {
  name: 'NodePorts',
  prepare({ hostPorts }, { cluster }) {
    if (hostPorts.length === 0) return undefined;
    const reason = {
      text: "node(s) didn't have free ports for the requested pod ports",
      isResolvable: true,
    };
    const isTaken = (node: number): boolean =>
      cluster
        .podsOn(node)
        .some(({ podClass }) =>
          podClass.hostPorts.some((taken) => hostPorts.some((wanted) => portsConflict(wanted, taken))),
        );
    return {
      scope: 'usage',
      filter: filterOf(
        (node) => !isTaken(node),
        () => reason,
      ),
    };
  },
};
