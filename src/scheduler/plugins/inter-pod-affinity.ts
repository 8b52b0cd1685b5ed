// InterPodAffinity: near these pods, away from those; and what the pods that are there have to say about it
// (https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity).
import type { Cluster, OwnedTerm } from '../cluster.ts';
import type { NodeFilter, NodeScore, Plugin, Reason } from '../framework.ts';
import type { PodClass, PodTerm } from '../pod-class.ts';
import type { PodCounter } from '../pod-counter.ts';
import type { Remedy } from '../remedy.ts';
import type { Topology } from '../topology.ts';

const NO_AFFINITY: Reason = { text: "node(s) didn't match pod affinity rules", isResolvable: false };
const ANTI_AFFINITY: Reason = { text: "node(s) didn't match pod anti-affinity rules", isResolvable: true };
const THEIR_ANTI_AFFINITY: Reason = {
  text: "node(s) didn't satisfy existing pods anti-affinity rules",
  isResolvable: true,
};
const NONE: readonly Reason[] = [];
const DEFAULT_HARD_WEIGHT = 1;

/** Pods that match the term, by domain. */
function matching(cluster: Cluster, term: PodTerm): PodCounter {
  return cluster.counter(`matching ${term.key}`, term.topologyKey, () => ({
    weightOf: (other) => (term.matches(other, cluster.namespaceLabelsOf) ? 1 : 0),
    terminating: 'counted',
  }));
}

/** Pods that match every required affinity term, by domain of one of them. */
function matchingAll(cluster: Cluster, terms: readonly PodTerm[], topologyKey: string): PodCounter {
  const name = JSON.stringify(['all', topologyKey, terms.map(({ key }) => key)]);
  return cluster.counter(name, topologyKey, () => ({
    weightOf: (other) => (terms.every((term) => term.matches(other, cluster.namespaceLabelsOf)) ? 1 : 0),
    terminating: 'counted',
  }));
}

/** Pods that bring the term themselves, by domain; preferred terms count with their weight. */
function owning(cluster: Cluster, { kind, term }: OwnedTerm): PodCounter {
  const countIn = (terms: readonly PodTerm[]): number => terms.filter(({ key }) => key === term.key).length;
  return cluster.counter(`${kind} ${term.key}`, term.topologyKey, () => ({
    weightOf(other) {
      if (kind === 'required-anti-affinity') return countIn(other.antiAffinity);
      if (kind === 'required-affinity') return countIn(other.affinity);
      return other.preferred.reduce((sum, one) => sum + (one.term.key === term.key ? one.weight : 0), 0);
    },
    terminating: 'counted',
  }));
}

/** The pods in the node's domain that the test is true of. */
function podsNear(
  cluster: Cluster,
  { domainOf }: Topology,
  { node, is }: { readonly node: number; readonly is: (podClass: PodClass) => boolean },
): readonly string[] {
  const domain = domainOf[node] ?? -1;
  return [...domainOf.keys()]
    .filter((other) => domain >= 0 && domainOf[other] === domain)
    .flatMap((other) => cluster.podsOn(other).filter((placed) => is(placed.podClass)))
    .map(({ uid }) => uid);
}

/** What the filter's counters count, pod by pod. */
function affinityRemedies(podClass: PodClass, cluster: Cluster, theirs: readonly OwnedTerm[]) {
  const { affinity, antiAffinity } = podClass;
  const labelsOf = cluster.namespaceLabelsOf;
  return (node: number): readonly Remedy[] => {
    const near = affinity.flatMap(({ topologyKey }): readonly Remedy[] => {
      const topology = cluster.topology(topologyKey);
      if ((topology.domainOf[node] ?? -1) < 0) return [{ kind: 'label', labels: { [topologyKey]: '' } }];
      const matchesAll = (other: PodClass): boolean =>
        affinity.every((term) => term.matches(other, labelsOf));
      if (podsNear(cluster, topology, { node, is: matchesAll }).length > 0) return [];
      return [{ kind: 'come', topologyKey, pods: affinity.map(({ text }) => text) }];
    });
    const ours = antiAffinity.flatMap((term) =>
      podsNear(cluster, cluster.topology(term.topologyKey), {
        node,
        is: (other) => term.matches(other, labelsOf),
      }),
    );
    const owners = theirs.flatMap(({ term }) =>
      podsNear(cluster, cluster.topology(term.topologyKey), {
        node,
        is: (other) => other.antiAffinity.some(({ key }) => key === term.key),
      }),
    );
    const uids = [...new Set([...ours, ...owners])];
    return uids.length === 0 ? near : [...near, { kind: 'leave', uids }];
  };
}

function affinityFilter(podClass: PodClass, cluster: Cluster, owned: readonly OwnedTerm[]): NodeFilter {
  const { affinity, antiAffinity } = podClass;
  const near = affinity.map(({ topologyKey }) => matchingAll(cluster, affinity, topologyKey));
  const away = antiAffinity.map((term) => matching(cluster, term));
  const theirs = owned.map((one) => owning(cluster, one));
  const remedies = affinityRemedies(podClass, cluster, owned);
  const isOwnKind = affinity.every((term) => term.matches(podClass, cluster.namespaceLabelsOf));
  // The first pod of a group that wants to be near itself would otherwise never start.
  let isFirst = false;
  const verdict = (node: number): Reason | undefined => {
    for (const counter of near) {
      if ((counter.topology.domainOf[node] ?? -1) < 0) return NO_AFFINITY;
      if (!isFirst && counter.at(node) === 0) return NO_AFFINITY;
    }
    for (const counter of away) if (counter.at(node) > 0) return ANTI_AFFINITY;
    for (const counter of theirs) if (counter.at(node) > 0) return THEIR_ANTI_AFFINITY;
    return undefined;
  };
  return {
    begin() {
      isFirst = isOwnKind && near.every(({ total }) => total === 0);
    },
    fits: (node) => verdict(node) === undefined,
    reasons(node) {
      const reason = verdict(node);
      return reason === undefined ? NONE : [reason];
    },
    remedies: (node) => (verdict(node) === undefined ? [] : remedies(node)),
  };
}

type Influence = { readonly counter: PodCounter; readonly weight: number };

function affinityScore(influences: readonly Influence[]): NodeScore {
  return {
    score(node) {
      let score = 0;
      for (const { counter, weight } of influences) score += counter.at(node) * weight;
      return score;
    },
    normalize(scores) {
      let least = Number.POSITIVE_INFINITY;
      let most = Number.NEGATIVE_INFINITY;
      for (const score of scores) {
        if (score < least) least = score;
        if (score > most) most = score;
      }
      const range = most - least;
      for (let i = 0; i < scores.length; i += 1)
        scores[i] = range > 0 ? Math.floor((100 * ((scores[i] ?? 0) - least)) / range) : 0;
    },
  };
}

export const interPodAffinity: Plugin = {
  name: 'InterPodAffinity',
  prepare(podClass, { cluster, profile }) {
    const { affinity, antiAffinity, preferred } = podClass;
    const aboutUs = [...cluster.ownedTerms()].filter(({ term }) =>
      term.matches(podClass, cluster.namespaceLabelsOf),
    );
    if (affinity.length + antiAffinity.length + preferred.length + aboutUs.length === 0) return undefined;
    const theirs = aboutUs.filter(({ kind }) => kind === 'required-anti-affinity');
    const hardWeight = profile.hardPodAffinityWeight ?? DEFAULT_HARD_WEIGHT;
    const influences: readonly Influence[] = [
      ...preferred.map(({ term, weight }) => ({ counter: matching(cluster, term), weight })),
      ...aboutUs
        .filter(({ kind }) => kind !== 'required-anti-affinity')
        .map((owned) => ({
          counter: owning(cluster, owned),
          weight: owned.kind === 'required-affinity' ? hardWeight : 1,
        })),
    ];
    const hasFilter = affinity.length + antiAffinity.length + theirs.length > 0;
    return {
      scope: 'cluster',
      filter: hasFilter ? affinityFilter(podClass, cluster, theirs) : undefined,
      score: influences.length === 0 ? undefined : affinityScore(influences),
    };
  },
};
