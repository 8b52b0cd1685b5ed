// Which nodes a pod's nodeSelector and node affinity name: pure functions over one Node.
// https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/
import type { Node, NodeSelectorRequirement, NodeSelectorTerm, PodSpec } from '../kube/api-types.ts';

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
