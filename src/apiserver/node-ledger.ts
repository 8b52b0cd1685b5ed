// What the pods of each node hold, as the decisions of the store see it: also what was decided a moment ago and is still on
// its way to the disk. So of several schedulers that give the same room away one wins, whatever each of them knew.
//
// Invariant: a node's account is the sum over its pods that have not ended.
import type { KubeObject } from '../client/resource-api.ts';
import { NODES, PODS } from '../client/resources.ts';
import type { Node, Pod } from '../kube/api-types.ts';
import { type HostPort, hostPortsOf, portsConflict } from '../kube/host-ports.ts';
import { effectiveRequests, isTerminal, type ResourceAmounts, resourceAmounts } from '../kube/pod.ts';
import type { Store } from '../store/store.ts';
import { storageKey, storagePrefix } from './storage-key.ts';

type Held = {
  readonly node: string;
  readonly requests: ResourceAmounts;
  readonly ports: readonly HostPort[];
};
type Account = { readonly sums: Map<string, number>; readonly pods: Map<string, Held> };

export type NodeLedger = {
  /** The node as the decisions see it. */
  node(name: string): Node | undefined;
  /** What the node has too little of for the pod to come, in kube-scheduler's words; undefined when there is room. */
  whyNoRoom(pod: Pod, nodeName: string): string | undefined;
};

function heldBy(pod: Pod): Held | undefined {
  const { spec } = pod;
  if (!spec?.nodeName || isTerminal(pod)) return undefined;
  return { node: spec.nodeName, requests: effectiveRequests(spec), ports: hostPortsOf(spec) };
}

class Accounts {
  readonly #byNode = new Map<string, Account>();
  readonly #nodeOfPod = new Map<string, string>();

  of(node: string): Account {
    let account = this.#byNode.get(node);
    if (account === undefined) {
      account = { sums: new Map(), pods: new Map() };
      this.#byNode.set(node, account);
    }
    return account;
  }

  /** The pod under this key is now as it is; undefined: gone. */
  put(key: string, pod: Pod | undefined): void {
    const before = this.#nodeOfPod.get(key);
    const held = pod === undefined ? undefined : heldBy(pod);
    if (before !== undefined) {
      this.#add(this.of(before), this.of(before).pods.get(key), -1);
      this.of(before).pods.delete(key);
      this.#nodeOfPod.delete(key);
    }
    if (held === undefined) return;
    this.#add(this.of(held.node), held, 1);
    this.of(held.node).pods.set(key, held);
    this.#nodeOfPod.set(key, held.node);
  }

  #add({ sums }: Account, held: Held | undefined, sign: 1 | -1): void {
    for (const [name, amount] of Object.entries(held?.requests ?? {}))
      sums.set(name, (sums.get(name) ?? 0) + sign * amount);
  }
}

/** Follows the store until it is closed. */
export function createNodeLedger(store: Store<KubeObject>): NodeLedger {
  const accounts = new Accounts();
  const nodes = new Map<string, Node>();
  store.derive(storagePrefix(PODS), (key, pod) => accounts.put(key, pod as Pod | undefined));
  store.derive(storagePrefix(NODES), (key, node) => {
    if (node === undefined) nodes.delete(key);
    else nodes.set(key, node);
  });
  const node = (name: string): Node | undefined => nodes.get(storageKey(NODES, { name }));
  return {
    node,
    whyNoRoom(pod, nodeName) {
      const found = node(nodeName);
      // Bound to a node that is still to come: there is nothing to count yet.
      if (pod.spec === undefined || found?.status?.allocatable === undefined) return undefined;
      const allocatable = resourceAmounts(found.status.allocatable);
      const { sums, pods } = accounts.of(nodeName);
      if (pods.size >= (allocatable.pods ?? Number.POSITIVE_INFINITY)) return 'Too many pods';
      for (const [name, amount] of Object.entries(effectiveRequests(pod.spec)))
        if (amount > 0 && amount + (sums.get(name) ?? 0) > (allocatable[name] ?? 0))
          return `Insufficient ${name}`;
      const wanted = hostPortsOf(pod.spec);
      const isTaken = ({ ports }: Held): boolean =>
        ports.some((taken) => wanted.some((port) => portsConflict(port, taken)));
      return wanted.length > 0 && [...pods.values()].some(isTaken)
        ? "node(s) didn't have free ports for the requested pod ports"
        : undefined;
    },
  };
}
