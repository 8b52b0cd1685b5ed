// Why a pod is where it is, or nowhere: the scheduler's own plug-ins asked about every node of a snapshot, with what would
// have to change. Pure. It tells of the cluster as it is now, not of the moment at which the pod was bound.
import type { Pod } from '../kube/api-types.ts';
import { isTerminal } from '../kube/pod.ts';
import type { ClassView } from './class-view.ts';
import type { Cluster } from './cluster.ts';
import { Placement } from './placement.ts';
import type { PluginName } from './plugin-name.ts';
import { PodClasses } from './pod-class.ts';
import { DEFAULT_PROFILE, type Profile } from './profile.ts';
import type { Remedy } from './remedy.ts';
import { clusterOf, type Snapshot } from './snapshot.ts';

export type NodeObjection = { readonly plugin: PluginName; readonly reasons: readonly string[] };

export type NodeExplanation =
  | {
      readonly node: string;
      readonly fits: true;
      readonly score: number;
      readonly scores: Readonly<Record<string, number>>;
    }
  | {
      readonly node: string;
      readonly fits: false;
      readonly objections: readonly NodeObjection[];
      /** All of them together; null where nothing would help. */
      readonly remedies: readonly Remedy[] | null;
    };

/** scheduled: on `node`. waiting: of no node yet; `message` is what FailedScheduling says, absent when a node fits. */
export type Verdict =
  | { readonly state: 'scheduled'; readonly node: string }
  | { readonly state: 'waiting'; readonly message?: string | undefined }
  | { readonly state: 'ended'; readonly phase: string }
  | { readonly state: 'gated'; readonly gates: readonly string[] }
  | { readonly state: 'not ours'; readonly schedulerName: string };

export type Explanation = {
  readonly verdict: Verdict;
  /** Those that fit first, best first. Of a pod that has its node: as if it came again. */
  readonly nodes: readonly NodeExplanation[];
  /** The node that needs least, and what it needs. */
  readonly smallestChange?: { readonly node: string; readonly remedies: readonly Remedy[] } | undefined;
};

function verdictOf(pod: Pod, placement: Placement, message: () => string | undefined): Verdict {
  const { spec, status } = pod;
  const gates = (spec?.schedulingGates ?? []).map(({ name }) => name);
  const schedulerName = spec?.schedulerName ?? DEFAULT_PROFILE.schedulerName;
  if (isTerminal(pod)) return { state: 'ended', phase: status?.phase ?? '' };
  if (spec?.nodeName) return { state: 'scheduled', node: spec.nodeName };
  if (gates.length > 0) return { state: 'gated', gates };
  if (!placement.hasProfile(schedulerName)) return { state: 'not ours', schedulerName };
  return { state: 'waiting', message: message() };
}

function explainNodes(view: ClassView, cluster: Cluster): readonly NodeExplanation[] {
  const breakdown = view.breakdown();
  const scores = new Map(view.ranking().map(({ node, score }) => [node, score]));
  const explained = cluster.nodes.flatMap((node, index): readonly NodeExplanation[] => {
    if (node === undefined) return [];
    const name = cluster.nodeName(index);
    const parts = breakdown.get(index);
    if (parts !== undefined)
      return [{ node: name, fits: true, score: scores.get(index) ?? 0, scores: Object.fromEntries(parts) }];
    const objections = view
      .objections(index)
      .map(({ plugin, reasons }) => ({ plugin, reasons: reasons.map(({ text }) => text) }));
    return [{ node: name, fits: false, objections, remedies: view.remedies(index) ?? null }];
  });
  const rank = (one: NodeExplanation): number => (one.fits ? one.score : -1);
  return explained.sort((a, b) => rank(b) - rank(a));
}

/** How much a remedy asks for: one change each, and of room the share of the node it is; beyond the node is worst. */
function costOf(remedy: Remedy): number {
  if (remedy.kind !== 'room') return 1;
  const { missing, wanted, capacity } = remedy;
  return capacity === 0 || wanted > capacity ? 2 + missing / Math.max(1, capacity) : missing / capacity;
}

function smallestChange(nodes: readonly NodeExplanation[]): Explanation['smallestChange'] {
  const possible = nodes.flatMap((one) =>
    one.fits || one.remedies === null ? [] : [{ node: one.node, remedies: one.remedies }],
  );
  const cost = ({ remedies }: { readonly remedies: readonly Remedy[] }): number =>
    remedies.reduce((sum, one) => sum + costOf(one), 0);
  return possible.sort((a, b) => a.remedies.length - b.remedies.length || cost(a) - cost(b))[0];
}

export function explain(
  pod: Pod,
  snapshot: Snapshot,
  profiles: readonly Profile[] = [DEFAULT_PROFILE],
): Explanation {
  const classes = new PodClasses();
  const others = snapshot.pods.filter(({ metadata }) => metadata?.uid !== pod.metadata?.uid);
  const cluster = clusterOf({ ...snapshot, pods: others }, classes);
  const placement = new Placement(cluster, profiles);
  const podClass = classes.ofBound(pod);
  const nodes = explainNodes(placement.viewOf(podClass), cluster);
  const fitsSomewhere = nodes.some(({ fits }) => fits);
  const verdict = verdictOf(pod, placement, () => (fitsSomewhere ? undefined : placement.failure(podClass)));
  return { verdict, nodes, smallestChange: fitsSomewhere ? undefined : smallestChange(nodes) };
}
