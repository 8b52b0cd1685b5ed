// PodTopologySpread: pods of a kind evenly over zones, hosts or any other label
// (https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/, KEP-895, KEP-3022, KEP-3094).

import { matchesNodeAffinity } from '../../kube/node-selector.ts';
import type { Cluster } from '../cluster.ts';
import type { NodeFilter, NodeScore, Plugin, Reason } from '../framework.ts';
import type { PodClass, SpreadConstraint } from '../pod-class.ts';
import type { PodCounter } from '../pod-counter.ts';
import type { Remedy } from '../remedy.ts';
import { untoleratedTaint } from '../tolerations.ts';

type Constraint = SpreadConstraint & {
  readonly counter: PodCounter;
  /** Domains that have a node which counts. */
  readonly eligible: Uint8Array;
  readonly eligibleCount: number;
  readonly self: 0 | 1;
};

const SKEWED: Reason = { text: "node(s) didn't match pod topology spread constraints", isResolvable: true };
const UNLABELLED: Reason = {
  text: "node(s) didn't match pod topology spread constraints (missing required label)",
  isResolvable: false,
};
const NONE: readonly Reason[] = [];
/** Raw score of a node that lacks a label; it is left at 0. */
const IGNORED = -1;

/** A node counts when it has every topology key of the group and the policies let it. */
function countedNodes(
  { spec }: PodClass,
  { nodes, size }: Cluster,
  { one, keys }: { readonly one: SpreadConstraint; readonly keys: readonly string[] },
): Uint8Array {
  const counted = new Uint8Array(size);
  nodes.forEach((node, index) => {
    if (node === undefined) return;
    const labels = node.metadata?.labels ?? {};
    if (!keys.every((key) => labels[key] !== undefined)) return;
    if (one.honorsAffinity && !matchesNodeAffinity(node, spec)) return;
    if (one.honorsTaints && untoleratedTaint(spec.tolerations ?? [], node) !== undefined) return;
    counted[index] = 1;
  });
  return counted;
}

/** Constraints that hold together: the hard ones for the filter, the soft ones for the score. */
function constraintsOf(podClass: PodClass, cluster: Cluster, kind: 'hard' | 'soft'): readonly Constraint[] {
  const group = podClass.spread.filter(({ isHard }) => isHard === (kind === 'hard'));
  const keys = group.map(({ topologyKey }) => topologyKey);
  return group.map((one) => {
    const countsNode = countedNodes(podClass, cluster, { one, keys });
    const { namespace } = podClass;
    const name = JSON.stringify(['spread', kind, podClass.key, one.key]);
    const counter = cluster.counter(name, one.topologyKey, () => ({
      weightOf: (other) => (other.namespace === namespace && one.selects(other.labels) ? 1 : 0),
      countsNode,
      terminating: 'ignored',
    }));
    const { domainOf, domains } = counter.topology;
    const eligible = new Uint8Array(domains.length);
    countsNode.forEach((counts, node) => {
      const domain = domainOf[node] ?? -1;
      if (counts === 1 && domain >= 0) eligible[domain] = 1;
    });
    const eligibleCount = eligible.reduce((sum, one) => sum + one, 0);
    return { ...one, counter, eligible, eligibleCount, self: one.selects(podClass.labels) ? 1 : 0 };
  });
}

/** The smallest number of pods in any eligible domain; 0 while there are fewer domains than minDomains. */
function globalMinimum({ counter, eligible, eligibleCount, minDomains }: Constraint): number {
  if (eligibleCount < minDomains) return 0;
  const { perDomain } = counter;
  let least = Number.POSITIVE_INFINITY;
  for (let domain = 0; domain < eligible.length; domain += 1) {
    const count = perDomain[domain] ?? 0;
    if (eligible[domain] === 1 && count < least) least = count;
  }
  return least;
}

function hardFilter(constraints: readonly Constraint[]): NodeFilter {
  const allowed = new Float64Array(constraints.length);
  const verdict = (node: number): Reason | undefined => {
    for (let i = 0; i < constraints.length; i += 1) {
      const constraint = constraints[i];
      if (constraint === undefined) continue;
      const { counter, self } = constraint;
      if ((counter.topology.domainOf[node] ?? -1) < 0) return UNLABELLED;
      if (counter.at(node) + self > (allowed[i] ?? 0)) return SKEWED;
    }
    return undefined;
  };
  return {
    begin() {
      constraints.forEach((constraint, i) => {
        allowed[i] = globalMinimum(constraint) + constraint.maxSkew;
      });
    },
    fits: (node) => verdict(node) === undefined,
    reasons(node) {
      const reason = verdict(node);
      return reason === undefined ? NONE : [reason];
    },
    remedies: (node) =>
      constraints.flatMap(({ counter, self, topologyKey }, i): readonly Remedy[] => {
        const domain = counter.topology.domainOf[node] ?? -1;
        // Any value makes the node a domain of its own.
        if (domain < 0) return [{ kind: 'label', labels: { [topologyKey]: '' } }];
        const surplus = counter.at(node) + self - (allowed[i] ?? 0);
        const name = counter.topology.domains[domain] ?? '';
        return surplus > 0 ? [{ kind: 'spread', topologyKey, domain: name, surplus }] : [];
      }),
  };
}

/** Domains with a feasible node; the more there are, the more one pod in one of them weighs. */
function domainsOf(
  { counter }: Constraint,
  feasible: Int32Array,
  isCounted: (node: number) => boolean,
): number {
  const seen = new Uint8Array(counter.topology.domains.length);
  let count = 0;
  for (const node of feasible) {
    const domain = counter.topology.domainOf[node] ?? -1;
    if (domain < 0 || seen[domain] === 1 || !isCounted(node)) continue;
    seen[domain] = 1;
    count += 1;
  }
  return count;
}

const HOSTNAME = 'kubernetes.io/hostname';

function softScore(constraints: readonly Constraint[]): NodeScore {
  const weights = new Float64Array(constraints.length);
  const hasAllKeys = (node: number): boolean =>
    constraints.every(({ counter }) => (counter.topology.domainOf[node] ?? -1) >= 0);
  return {
    begin(feasible) {
      const counted = feasible.filter(hasAllKeys).length;
      constraints.forEach((constraint, i) => {
        const domains =
          constraint.topologyKey === HOSTNAME ? counted : domainsOf(constraint, feasible, hasAllKeys);
        weights[i] = Math.log(domains + 2);
      });
    },
    score(node) {
      if (!hasAllKeys(node)) return IGNORED;
      let score = 0;
      for (let i = 0; i < constraints.length; i += 1) {
        const constraint = constraints[i];
        if (constraint === undefined) continue;
        score += constraint.counter.at(node) * (weights[i] ?? 0) + (constraint.maxSkew - 1);
      }
      return Math.round(score);
    },
    normalize(scores) {
      let least = Number.POSITIVE_INFINITY;
      let most = 0;
      for (const score of scores) {
        if (score === IGNORED) continue;
        if (score < least) least = score;
        if (score > most) most = score;
      }
      for (let i = 0; i < scores.length; i += 1) {
        const score = scores[i] ?? 0;
        if (score === IGNORED) scores[i] = 0;
        else scores[i] = most === 0 ? 100 : Math.floor((100 * (most + least - score)) / most);
      }
    },
  };
}

export const podTopologySpread: Plugin = {
  name: 'PodTopologySpread',
  prepare(podClass, { cluster }) {
    if (podClass.spread.length === 0) return undefined;
    const hard = constraintsOf(podClass, cluster, 'hard');
    const soft = constraintsOf(podClass, cluster, 'soft');
    return {
      scope: 'cluster',
      filter: hard.length === 0 ? undefined : hardFilter(hard),
      score: soft.length === 0 ? undefined : softScore(soft),
    };
  },
};
