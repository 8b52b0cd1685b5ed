// Nodes by the value of one label: domain numbers in place of label texts, so that a look-up is an array access.
import type { Node } from '../kube/api-types.ts';

export type Topology = {
  readonly key: string;
  /** By node: its domain, or -1 where the label is absent. */
  readonly domainOf: Int32Array;
  readonly domains: readonly string[];
};

export function topologyOf(key: string, nodes: readonly (Node | undefined)[]): Topology {
  const byValue = new Map<string, number>();
  const domainOf = new Int32Array(nodes.length).fill(-1);
  nodes.forEach((node, index) => {
    const value = node?.metadata?.labels?.[key];
    if (value === undefined) return;
    let domain = byValue.get(value);
    if (domain === undefined) {
      domain = byValue.size;
      byValue.set(value, domain);
    }
    domainOf[index] = domain;
  });
  return { key, domainOf, domains: [...byValue.keys()] };
}
