// The scheduler's memory: nodes, and what the pods bound to each hold. The sums are kept by adding and taking away, so a
// placement costs the same with one pod on the node as with five hundred.
//
// Invariant: a pod counts on the node it is bound to (or assumed to be), once, from its binding until it is terminal or
// gone; pods of unknown nodes are kept for when the node appears.
import type { Node, Pod } from '../kube/api-types.ts';
import { effectiveRequests, isTerminal, type ResourceAmounts, resourceAmounts } from '../kube/pod.ts';
import { type HostPort, hostPortsOf, type NodeInfo } from './node-info.ts';

type Holding = {
  readonly nodeName: string;
  readonly requests: ResourceAmounts;
  readonly hostPorts: readonly HostPort[];
};

type MutableNodeInfo = {
  node: Node | undefined;
  allocatable: ResourceAmounts;
  readonly requested: Record<string, number>;
  podCount: number;
  hostPorts: HostPort[];
};

export class ClusterState {
  readonly #nodes = new Map<string, MutableNodeInfo>();
  readonly #holdings = new Map<string, Holding>();

  setNode(node: Node): void {
    const info = this.#infoOf(node.metadata?.name ?? '');
    info.node = node;
    info.allocatable = resourceAmounts(node.status?.allocatable);
  }

  removeNode(name: string): void {
    const info = this.#nodes.get(name);
    if (info !== undefined) info.node = undefined;
  }

  nodes(): readonly NodeInfo[] {
    return [...this.#nodes.values()].flatMap((info) =>
      info.node === undefined ? [] : [{ ...info, node: info.node }],
    );
  }

  /** Counts the pod where it is bound; a terminal or unbound one counts nowhere. Returns whether something was freed. */
  setPod(uid: string, pod: Pod): boolean {
    const nodeName = pod.spec?.nodeName;
    if (!pod.spec || !nodeName || isTerminal(pod)) return this.removePod(uid);
    if (this.#holdings.get(uid)?.nodeName === nodeName) return false;
    const freed = this.removePod(uid);
    const holding = { nodeName, requests: effectiveRequests(pod.spec), hostPorts: hostPortsOf(pod) };
    this.#holdings.set(uid, holding);
    const info = this.#infoOf(nodeName);
    info.podCount += 1;
    info.hostPorts.push(...holding.hostPorts);
    for (const [name, amount] of Object.entries(holding.requests)) {
      info.requested[name] = (info.requested[name] ?? 0) + amount;
    }
    return freed;
  }

  removePod(uid: string): boolean {
    const holding = this.#holdings.get(uid);
    if (holding === undefined) return false;
    this.#holdings.delete(uid);
    const info = this.#infoOf(holding.nodeName);
    info.podCount -= 1;
    info.hostPorts = info.hostPorts.filter((port) => !holding.hostPorts.includes(port));
    for (const [name, amount] of Object.entries(holding.requests)) {
      info.requested[name] = (info.requested[name] ?? 0) - amount;
    }
    return true;
  }

  holds(uid: string): boolean {
    return this.#holdings.has(uid);
  }

  #infoOf(name: string): MutableNodeInfo {
    let info = this.#nodes.get(name);
    if (info === undefined) {
      info = { node: undefined, allocatable: {}, requested: {}, podCount: 0, hostPorts: [] };
      this.#nodes.set(name, info);
    }
    return info;
  }
}
