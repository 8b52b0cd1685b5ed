// What PersistentVolumes, claims and classes say, as pure functions shared by the API server, the agent and the
// controller of volumes.
import type { PersistentVolumeClaim, Pod, Volume } from './api-types.ts';

export const PVC_PROTECTION = 'kubernetes.io/pvc-protection';
export const PV_PROTECTION = 'kubernetes.io/pv-protection';
/** On a claim that waits for its first consumer: the node that the scheduler chose for that pod. */
export const SELECTED_NODE = 'volume.kubernetes.io/selected-node';
export const DEFAULT_CLASS_ANNOTATION = 'storageclass.kubernetes.io/is-default-class';

/** The claim that a volume of the pod stands on: named, or for an ephemeral one made of both names. */
export function claimNameOf(
  pod: Pod,
  { name, persistentVolumeClaim, ephemeral }: Volume,
): string | undefined {
  return ephemeral === undefined ? persistentVolumeClaim?.claimName : `${pod.metadata?.name}-${name}`;
}

/** The claim has its volume, for good. */
export function isBound({ spec, status }: PersistentVolumeClaim): boolean {
  return status?.phase === 'Bound' && Boolean(spec?.volumeName);
}

export function isOwnedBy(claim: PersistentVolumeClaim, pod: Pod): boolean {
  const owners = claim.metadata?.ownerReferences ?? [];
  return owners.some(({ uid, controller }) => controller === true && uid === pod.metadata?.uid);
}
