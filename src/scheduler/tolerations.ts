// Taints and tolerations: https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
import type { Node, Taint, Toleration } from '../kube/api-types.ts';

function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  return toleration.operator === 'Exists' || (toleration.value ?? '') === (taint.value ?? '');
}

export function isTolerated(tolerations: readonly Toleration[], taint: Taint): boolean {
  return tolerations.some((toleration) => tolerates(toleration, taint));
}

/** PreferNoSchedule keeps nobody away. */
const keepsAway = (tolerations: readonly Toleration[], taint: Taint): boolean =>
  taint.effect !== 'PreferNoSchedule' && !isTolerated(tolerations, taint);

/** The first taint that keeps the pod away. */
export function untoleratedTaint(tolerations: readonly Toleration[], node: Node): Taint | undefined {
  return node.spec?.taints?.find((taint) => keepsAway(tolerations, taint));
}

export function untoleratedTaints(tolerations: readonly Toleration[], node: Node): readonly Taint[] {
  return (node.spec?.taints ?? []).filter((taint) => keepsAway(tolerations, taint));
}
