// What is to be done next about claims and volumes. Pure: the cluster in, at most one step per object out; each step
// changes something, the change comes back by the watch, and then the next step is planned. So a crash between any two
// steps loses nothing.
// https://kubernetes.io/docs/concepts/storage/persistent-volumes/#lifecycle-of-a-volume-and-claim
//
//   claim    Pending -> (volume's claimRef = claim) -> (claim's volumeName = volume) -> Bound -> Lost when it vanishes
//   volume   Available -> Bound -> Released (its claim is gone) -> reclaimed, or kept by Retain
import type { PersistentVolume, PersistentVolumeClaim, Pod, StorageClass } from '../../kube/api-types.ts';
import { isFit, matchVolume, volumeAllowsNode } from '../../kube/match-volume.ts';
import { isOwnedBy, PV_PROTECTION, PVC_PROTECTION, SELECTED_NODE } from '../../kube/storage.ts';
import { clusterKey, keyOf } from '../object-key.ts';
import { type ClusterVolumes, claimsInUse, defaultClass, isFor } from './cluster-volumes.ts';

type Told = { readonly type: 'Normal' | 'Warning'; readonly reason: string; readonly message: string };

export type VolumeStep =
  | { readonly kind: 'createClaim'; readonly claim: PersistentVolumeClaim }
  | { readonly kind: 'deleteClaim'; readonly claim: PersistentVolumeClaim }
  /** Replaces the object, or its status: the cluster's version of it must still be the newest. */
  | { readonly kind: 'updateClaim'; readonly claim: PersistentVolumeClaim }
  | { readonly kind: 'updateClaimStatus'; readonly claim: PersistentVolumeClaim }
  | { readonly kind: 'updateVolume'; readonly volume: PersistentVolume }
  | { readonly kind: 'updateVolumeStatus'; readonly volume: PersistentVolume }
  | {
      readonly kind: 'provision';
      readonly claim: PersistentVolumeClaim;
      readonly storageClass: StorageClass;
      /** Where its first consumer will be; undefined: wherever. */
      readonly node: string | undefined;
    }
  | { readonly kind: 'deleteVolume'; readonly volume: PersistentVolume }
  /** The end of a volume that is being deleted: its data, where they are ours to delete, and then itself. */
  | { readonly kind: 'finalizeVolume'; readonly volume: PersistentVolume; readonly data: 'delete' | 'keep' }
  | ({ readonly kind: 'tell'; readonly claim: PersistentVolumeClaim } & Told);

/** Whose volumes this controller makes and unmakes. */
export const PROVISIONER = 'podwright.dev/local';
export const PROVISIONED_BY = 'pv.kubernetes.io/provisioned-by';

export function planVolumes(cluster: ClusterVolumes): readonly VolumeStep[] {
  const taken = new Set<string>();
  const used = claimsInUse(cluster);
  return [
    ...[...cluster.pods.values()].flatMap((pod) => planEphemeral(pod, cluster)),
    ...[...cluster.claims.values()].flatMap((claim) => {
      const steps = planClaim(claim, cluster, { taken, usedOn: used.get(keyOf(claim)) });
      // Two claims of one pass do not get the same volume.
      for (const step of steps) if (step.kind === 'updateVolume') taken.add(keyOf(step.volume));
      return steps;
    }),
    ...[...cluster.volumes.values()].flatMap((volume) =>
      taken.has(keyOf(volume)) ? [] : planVolume(volume, cluster),
    ),
  ];
}

/** A pod's ephemeral volumes are claims that it owns and that go with it. */
function planEphemeral(pod: Pod, { claims }: ClusterVolumes): readonly VolumeStep[] {
  if (pod.metadata?.deletionTimestamp !== undefined) return [];
  const { namespace, name, uid = '' } = pod.metadata ?? {};
  return (pod.spec?.volumes ?? []).flatMap((volume): readonly VolumeStep[] => {
    const template = volume.ephemeral?.volumeClaimTemplate;
    const claimName = `${name}-${volume.name}`;
    if (template === undefined || claims.has(`${namespace}/${claimName}`)) return [];
    const owner = {
      apiVersion: 'v1',
      kind: 'Pod',
      name: name ?? '',
      uid,
      controller: true,
      blockOwnerDeletion: true,
    };
    const { labels, annotations } = template.metadata ?? {};
    const metadata = { name: claimName, namespace, labels, annotations, ownerReferences: [owner] };
    return [{ kind: 'createClaim', claim: { metadata, spec: template.spec } }];
  });
}

function planClaim(
  claim: PersistentVolumeClaim,
  cluster: ClusterVolumes,
  { taken, usedOn }: { readonly taken: ReadonlySet<string>; readonly usedOn: string | undefined },
): readonly VolumeStep[] {
  if (claim.metadata?.deletionTimestamp !== undefined)
    return usedOn !== undefined
      ? []
      : withoutFinalizer(claim, PVC_PROTECTION).map((one) => ({ kind: 'updateClaim', claim: one }));
  if (isOrphan(claim, cluster)) return [{ kind: 'deleteClaim', claim }];
  if (claim.spec?.volumeName) return planNamed(claim, cluster);
  const reserved = [...cluster.volumes.values()].find(
    (volume) => volume.spec?.claimRef !== undefined && isFor(volume, claim),
  );
  if (reserved !== undefined) return [bindStep(claim, reserved)];
  if (claim.spec?.storageClassName === undefined) {
    const found = defaultClass(cluster)?.metadata?.name;
    if (found !== undefined)
      return [{ kind: 'updateClaim', claim: { ...claim, spec: { ...claim.spec, storageClassName: found } } }];
  }
  const storageClass = cluster.classes.get(clusterKey(claim.spec?.storageClassName ?? ''));
  const node = claim.metadata?.annotations?.[SELECTED_NODE] ?? usedOn;
  if (storageClass?.volumeBindingMode === 'WaitForFirstConsumer' && node === undefined) {
    const message = 'waiting for first consumer to be created before binding';
    return [{ kind: 'tell', claim, type: 'Normal', reason: 'WaitForFirstConsumer', message }];
  }
  const consumer = cluster.nodes.get(clusterKey(node ?? ''));
  const free = [...cluster.volumes.values()].filter(
    (volume) => !taken.has(keyOf(volume)) && (consumer === undefined || volumeAllowsNode(volume, consumer)),
  );
  const match = matchVolume(claim, free);
  return [match === undefined ? provisionStep(claim, storageClass, node) : bindStep(claim, match)];
}

/** Its pod is gone, or another of the same name. */
function isOrphan(claim: PersistentVolumeClaim, { pods }: ClusterVolumes): boolean {
  const owner = claim.metadata?.ownerReferences?.find(
    ({ controller, kind }) => controller === true && kind === 'Pod',
  );
  if (owner === undefined) return false;
  const pod = pods.get(`${claim.metadata?.namespace}/${owner.name}`);
  return pod === undefined || !isOwnedBy(claim, pod);
}

/** One half of the binding: first the volume names the claim, so that no other takes it, then the claim the volume. */
function bindStep(claim: PersistentVolumeClaim, volume: PersistentVolume): VolumeStep {
  const { namespace, name, uid } = claim.metadata ?? {};
  if (!volume.spec?.claimRef?.uid) {
    const claimRef = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid };
    return { kind: 'updateVolume', volume: { ...volume, spec: { ...volume.spec, claimRef } } };
  }
  return {
    kind: 'updateClaim',
    claim: { ...claim, spec: { ...claim.spec, volumeName: volume.metadata?.name } },
  };
}

function planNamed(claim: PersistentVolumeClaim, { volumes }: ClusterVolumes): readonly VolumeStep[] {
  const volume = volumes.get(clusterKey(claim.spec?.volumeName ?? ''));
  const wasBound = claim.status?.phase === 'Bound';
  const isFree = volume !== undefined && volume.spec?.claimRef === undefined;
  if (volume !== undefined && isFree && !wasBound) {
    if (isFit(volume, claim)) return [bindStep(claim, volume)];
    const message = `Cannot bind to requested volume "${volume.metadata?.name}": it does not satisfy the claim`;
    return [{ kind: 'tell', claim, type: 'Warning', reason: 'VolumeMismatch', message }];
  }
  if (volume === undefined || !isFor(volume, claim)) {
    if (!wasBound) return [];
    return [{ kind: 'updateClaimStatus', claim: { ...claim, status: { ...claim.status, phase: 'Lost' } } }];
  }
  if (!volume.spec?.claimRef?.uid) return [bindStep(claim, volume)];
  if (wasBound) return [];
  const { accessModes, capacity } = volume.spec;
  return [
    { kind: 'updateClaimStatus', claim: { ...claim, status: { phase: 'Bound', accessModes, capacity } } },
  ];
}

function provisionStep(
  claim: PersistentVolumeClaim,
  storageClass: StorageClass | undefined,
  node: string | undefined,
): VolumeStep {
  const name = claim.spec?.storageClassName ?? '';
  if (storageClass?.provisioner === PROVISIONER && claim.spec?.selector === undefined)
    return { kind: 'provision', claim, storageClass, node };
  const tell = (type: Told['type'], reason: string, message: string): VolumeStep => ({
    kind: 'tell',
    claim,
    type,
    reason,
    message,
  });
  if (name === '')
    return tell(
      'Normal',
      'FailedBinding',
      'no persistent volumes available for this claim and no storage class is set',
    );
  if (storageClass === undefined)
    return tell('Warning', 'ProvisioningFailed', `storageclass.storage.k8s.io "${name}" not found`);
  const { provisioner } = storageClass;
  if (provisioner === PROVISIONER)
    return tell(
      'Warning',
      'ProvisioningFailed',
      'claim.Spec.Selector is not supported for dynamic provisioning',
    );
  return tell(
    'Normal',
    'ExternalProvisioning',
    `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system administrator`,
  );
}

function planVolume(volume: PersistentVolume, { claims }: ClusterVolumes): readonly VolumeStep[] {
  const ref = volume.spec?.claimRef;
  const claim = ref === undefined ? undefined : claims.get(`${ref.namespace}/${ref.name}`);
  const isHeld = claim !== undefined && isFor(volume, claim);
  const isOurs = volume.metadata?.annotations?.[PROVISIONED_BY] === PROVISIONER;
  const isReclaimed = isOurs && volume.spec?.persistentVolumeReclaimPolicy === 'Delete';
  if (volume.metadata?.deletionTimestamp !== undefined && !isHeld) {
    const data = isReclaimed ? 'delete' : 'keep';
    return withoutFinalizer(volume, PV_PROTECTION).map((one) => ({
      kind: 'finalizeVolume',
      volume: one,
      data,
    }));
  }
  const phase = phaseOf(volume, isHeld ? claim : undefined);
  if (volume.status?.phase !== phase)
    return [{ kind: 'updateVolumeStatus', volume: { ...volume, status: { ...volume.status, phase } } }];
  return phase === 'Released' && isReclaimed ? [{ kind: 'deleteVolume', volume }] : [];
}

function phaseOf({ metadata, spec }: PersistentVolume, holder: PersistentVolumeClaim | undefined): string {
  // Reserved for a claim that is still to come.
  if (!spec?.claimRef?.uid) return 'Available';
  if (holder === undefined) return 'Released';
  return holder.spec?.volumeName === metadata?.name ? 'Bound' : 'Available';
}

/** Nothing when it has none. */
function withoutFinalizer<T extends PersistentVolume | PersistentVolumeClaim>(
  object: T,
  name: string,
): readonly T[] {
  const { finalizers = [] } = object.metadata ?? {};
  if (!finalizers.includes(name)) return [];
  return [
    { ...object, metadata: { ...object.metadata, finalizers: finalizers.filter((one) => one !== name) } },
  ];
}
