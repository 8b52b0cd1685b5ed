// The scheduling framework: what a plug-in is. The names and the order of the extension points are kube-scheduler's
// (https://kubernetes.io/docs/concepts/scheduling-eviction/scheduling-framework/); what differs is that a plug-in is
// prepared for a class of equal pods and says how far its verdict reaches, so that it is asked again only where
// something changed.
import type { Cluster } from './cluster.ts';
import type { PluginName } from './plugin-name.ts';
import type { PodClass } from './pod-class.ts';
import type { Profile } from './profile.ts';
import type { Remedy } from './remedy.ts';

/** Why a node cannot take a pod, in kube-scheduler's words. */
export type Reason = {
  readonly text: string;
  /** Whether taking pods away from the node could help (kube-scheduler's Unschedulable; otherwise ...AndUnresolvable). */
  readonly isResolvable: boolean;
};

/**
 * What a verdict depends on: `node` on the node object alone, `usage` on what the node's pods hold, `cluster` also on pods
 * elsewhere.
 */
export type Scope = 'node' | 'usage' | 'cluster';

export type NodeFilter = {
  /** Called once before a series of `fits` and `reasons`, whenever the cluster may have changed. */
  readonly begin?: (() => void) | undefined;
  readonly fits: (node: number) => boolean;
  /** Empty exactly where `fits` is true. */
  readonly reasons: (node: number) => readonly Reason[];
  /** What would all have to change so that it fits; empty where it fits and where nothing helps. */
  readonly remedies: (node: number) => readonly Remedy[];
};

export type NodeScore = {
  /** Called once before a series of `score` with the nodes that passed all filters. */
  readonly begin?: ((feasible: Int32Array) => void) | undefined;
  /** 0..100, or anything if it is normalised. */
  readonly score: (node: number) => number;
  /** In place, to 0..100, over all nodes that passed the filters. */
  readonly normalize?: ((scores: Float64Array) => void) | undefined;
};

export type Prepared = {
  readonly scope: Scope;
  /** Why no node whatever will do (kube-scheduler's PreFilter); the filter then passes none. */
  readonly refusal?: string | undefined;
  readonly filter?: NodeFilter | undefined;
  readonly score?: NodeScore | undefined;
};

export type PluginContext = { readonly cluster: Cluster; readonly profile: Profile };

export type Plugin = {
  readonly name: PluginName;
  /** PreFilter and PreScore in one. Undefined: this plug-in has nothing to say about such pods (Skip). */
  readonly prepare: (podClass: PodClass, context: PluginContext) => Prepared | undefined;
};

const NONE: readonly Reason[] = [];
const NO_REMEDY: readonly Remedy[] = [];

/** A filter made of one question with one answer. */
export function filterOf(
  fits: (node: number) => boolean,
  objection: {
    readonly reason: (node: number) => Reason;
    readonly remedies: (node: number) => readonly Remedy[];
  },
): NodeFilter {
  return {
    fits,
    reasons: (node) => (fits(node) ? NONE : [objection.reason(node)]),
    remedies: (node) => (fits(node) ? NO_REMEDY : objection.remedies(node)),
  };
}

/** kube-scheduler's DefaultNormalizeScore: the highest becomes 100; `lowest-first` turns it round. */
export function normalizeByMax(order: 'highest-first' | 'lowest-first'): (scores: Float64Array) => void {
  return (scores) => {
    let max = 0;
    for (const score of scores) if (score > max) max = score;
    for (let i = 0; i < scores.length; i += 1) {
      const share = max === 0 ? 0 : Math.floor((100 * (scores[i] ?? 0)) / max);
      scores[i] = order === 'lowest-first' ? 100 - share : share;
    }
  };
}
