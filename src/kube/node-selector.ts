// Which nodes a pod's nodeSelector and node affinity name: pure functions over one Node.
// https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/
import type { Node, NodeSelectorRequirement, NodeSelectorTerm, PodSpec } from './api-types.ts';

function integer(text: string | undefined): number {
  return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
}

function satisfies(value: string | undefined, { operator, values = [] }: NodeSelectorRequirement): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return integer(value) > integer(values[0]);
    case 'Lt':
      return integer(value) < integer(values[0]);
    default:
      return false;
  }
}

/** A term without any requirement matches no node. */
export function matchesNodeTerm(node: Node, term: NodeSelectorTerm): boolean {
  const { matchExpressions = [], matchFields = [] } = term;
  if (matchExpressions.length + matchFields.length === 0) return false;
  const labels = node.metadata?.labels ?? {};
  return (
    matchExpressions.every((one) => satisfies(labels[one.key], one)) &&
    matchFields.every((one) => one.key === 'metadata.name' && satisfies(node.metadata?.name ?? '', one))
  );
}

/** nodeSelector and the required terms of node affinity, of which one must match. */
export function matchesNodeAffinity(node: Node, spec: Pick<PodSpec, 'nodeSelector' | 'affinity'>): boolean {
  const labels = node.metadata?.labels ?? {};
  if (!Object.entries(spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value)) return false;
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || required.nodeSelectorTerms.some((term) => matchesNodeTerm(node, term));
}

type LabelChanges = Readonly<Record<string, string | null>>;

/** A value that satisfies the requirement; null for none at all; undefined when no value does. */
function satisfying({ operator, values = [] }: NodeSelectorRequirement): string | null | undefined {
  switch (operator) {
    case 'In':
      return values[0];
    case 'Exists':
      return '';
    case 'NotIn':
    case 'DoesNotExist':
      return null;
    case 'Gt':
      return String(integer(values[0]) + 1);
    case 'Lt':
      return String(integer(values[0]) - 1);
    default:
      return undefined;
  }
}

function relabelled(node: Node, changes: LabelChanges): Node {
  const labels = Object.entries({ ...node.metadata?.labels, ...changes });
  const kept = labels.filter((entry): entry is [string, string] => entry[1] !== null);
  return { ...node, metadata: { ...node.metadata, labels: Object.fromEntries(kept) } };
}

/** The labels by which the node fails the term, with values that would do; undefined when none would. */
function changesForTerm(node: Node, { matchExpressions = [] }: NodeSelectorTerm): LabelChanges | undefined {
  const labels = node.metadata?.labels ?? {};
  const changes: Record<string, string | null> = {};
  for (const one of matchExpressions) {
    if (satisfies(labels[one.key], one)) continue;
    const value = satisfying(one);
    if (value === undefined) return undefined;
    changes[one.key] = value;
  }
  return changes;
}

/** The fewest labels of the node that would have to change for it to be one the pod names; undefined when that cannot be. */
export function labelsWanting(
  node: Node,
  spec: Pick<PodSpec, 'nodeSelector' | 'affinity'>,
): LabelChanges | undefined {
  const { labels = {} } = node.metadata ?? {};
  const selected: LabelChanges = Object.fromEntries(
    Object.entries(spec.nodeSelector ?? {}).filter(([key, value]) => labels[key] !== value),
  );
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const ways = (required?.nodeSelectorTerms ?? [{}])
    .map((term) => changesForTerm(relabelled(node, selected), term))
    .filter((way) => way !== undefined)
    .map((way): LabelChanges => ({ ...selected, ...way }));
  return (
    ways
      // Requirements of one label may be at odds, and fields are no labels.
      .filter((way) => matchesNodeAffinity(relabelled(node, way), spec))
      .sort((a, b) => Object.keys(a).length - Object.keys(b).length)[0]
  );
}
