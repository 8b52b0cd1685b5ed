// VolumeBinding and VolumeRestrictions: nodes that a pod's claims allow
// (https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode, KEP-2485 for ReadWriteOncePod).
// A claim that has its volume keeps the pod to nodes of that volume's affinity; one that waits for its first consumer wants a
// free volume that fits there, or a class that makes one.
import type { Node, PersistentVolume, PersistentVolumeClaim } from '../../kube/api-types.ts';
import { matchVolume, volumeAllowsNode } from '../../kube/match-volume.ts';
import { quantityValue } from '../../kube/quantity.ts';
import { isBound, SELECTED_NODE } from '../../kube/storage.ts';
import type { ClusterVolumes } from '../cluster-volumes.ts';
import type { Plugin, Reason } from '../framework.ts';
import type { ClaimUse } from '../pod-class.ts';
import type { Remedy } from '../remedy.ts';

const NODE_CONFLICT: Reason = {
  text: "node(s) didn't match PersistentVolume's node affinity",
  isResolvable: false,
};
const NO_VOLUME: Reason = {
  text: "node(s) didn't find available persistent volumes to bind",
  isResolvable: false,
};
const VOLUME_GONE: Reason = {
  text: 'node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)',
  isResolvable: false,
};
const IN_USE: Reason = {
  text: 'node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod',
  isResolvable: true,
};
const NONE: readonly Reason[] = [];
/** Of a class whose volumes nobody makes. */
const NO_PROVISIONER = 'kubernetes.io/no-provisioner';

type Need =
  /** Wherever the pod went: kube-scheduler's PreFilter. */
  | { readonly kind: 'refused'; readonly text: string; readonly claim: string }
  | { readonly kind: 'bound'; readonly volume: PersistentVolume | undefined }
  | { readonly kind: 'waiting'; readonly claim: PersistentVolumeClaim; readonly isProvisioned: boolean };

const sizeOf = ({ spec }: PersistentVolumeClaim): number => {
  const size = spec?.resources?.requests?.storage;
  return size === undefined ? 0 : quantityValue(size);
};

function needOf({ key, name, isEphemeral }: ClaimUse, volumes: ClusterVolumes): Need {
  const refused = (text: string): Need => ({ kind: 'refused', text, claim: key });
  const claim = volumes.claims.get(key);
  const quoted = JSON.stringify(name);
  if (claim === undefined)
    return refused(
      isEphemeral
        ? `waiting for ephemeral volume controller to create the persistentvolumeclaim ${quoted}`
        : `persistentvolumeclaim ${quoted} not found`,
    );
  const volumeName = claim.spec?.volumeName ?? '';
  if (claim.status?.phase === 'Lost')
    return refused(
      `persistentvolumeclaim ${quoted} bound to non-existent persistentvolume ${JSON.stringify(volumeName)}`,
    );
  if (claim.metadata?.deletionTimestamp !== undefined)
    return refused(`persistentvolumeclaim ${quoted} is being deleted`);
  if (isBound(claim)) return { kind: 'bound', volume: volumes.volumes.get(volumeName) };
  if (!volumes.waitsForConsumer(claim)) return refused('pod has unbound immediate PersistentVolumeClaims');
  const reserved = [...volumes.volumes.values()].find(
    ({ spec }) => spec?.claimRef?.namespace === claim.metadata?.namespace && spec?.claimRef?.name === name,
  );
  if (reserved !== undefined) return { kind: 'bound', volume: reserved };
  const provisioner = volumes.classes.get(claim.spec?.storageClassName ?? '')?.provisioner;
  return { kind: 'waiting', claim, isProvisioned: provisioner !== NO_PROVISIONER };
}

type Waiting = Extract<Need, { readonly kind: 'waiting' }>;

/** The claims that find neither a volume on the node nor somebody who makes one; the smallest choose first. */
function withoutVolume(waiting: readonly Waiting[], node: Node, volumes: ClusterVolumes): readonly Waiting[] {
  const free = [...volumes.volumes.values()].filter((volume) => volumeAllowsNode(volume, node));
  const taken = new Set<PersistentVolume>();
  return waiting.filter(({ claim, isProvisioned }) => {
    const selected = claim.metadata?.annotations?.[SELECTED_NODE];
    if (selected !== undefined && selected !== node.metadata?.name) return true;
    const match = matchVolume(
      claim,
      free.filter((volume) => !taken.has(volume)),
    );
    if (match !== undefined) taken.add(match);
    return match === undefined && !isProvisioned;
  });
}

export const volumeBinding: Plugin = {
  name: 'VolumeBinding',
  prepare({ claims }, { cluster: { nodes, volumes } }) {
    if (claims.length === 0) return undefined;
    const needs = claims.map((claim) => needOf(claim, volumes));
    const refusal = needs.find((need) => need.kind === 'refused');
    const bound = needs.filter((need) => need.kind === 'bound');
    const waiting = needs
      .filter((need) => need.kind === 'waiting')
      .sort((a, b) => sizeOf(a.claim) - sizeOf(b.claim));
    const reasons = (index: number): readonly Reason[] => {
      const node = nodes[index] ?? {};
      if (refusal !== undefined) return [{ text: refusal.text, isResolvable: false }];
      if (bound.some(({ volume }) => volume === undefined)) return [VOLUME_GONE];
      const isElsewhere = bound.some(({ volume = {} }) => !volumeAllowsNode(volume, node));
      const isShort = withoutVolume(waiting, node, volumes).length > 0;
      return [...(isElsewhere ? [NODE_CONFLICT] : NONE), ...(isShort ? [NO_VOLUME] : NONE)];
    };
    return {
      scope: 'node',
      refusal: refusal?.text,
      filter: {
        fits: (node) => reasons(node).length === 0,
        reasons,
        remedies(index): readonly Remedy[] {
          if (refusal !== undefined) return [{ kind: 'claim', claim: refusal.claim, lacks: 'itself' }];
          if (reasons(index).some((reason) => reason !== NO_VOLUME)) return [];
          return withoutVolume(waiting, nodes[index] ?? {}, volumes).map(({ claim: { metadata } }) => ({
            kind: 'claim',
            claim: `${metadata?.namespace}/${metadata?.name}`,
            lacks: 'volume',
          }));
        },
      },
    };
  },
};

export const volumeRestrictions: Plugin = {
  name: 'VolumeRestrictions',
  prepare({ claims }, { cluster }) {
    const exclusive = claims
      .map(({ key }) => key)
      .filter((key) => cluster.volumes.claims.get(key)?.spec?.accessModes?.includes('ReadWriteOncePod'));
    if (exclusive.length === 0) return undefined;
    const isFree = (): boolean => exclusive.every((key) => cluster.claimUsers(key) === 0);
    const users = (): readonly string[] =>
      [...cluster.nodes.keys()]
        .flatMap((node) => cluster.podsOn(node))
        .filter(({ podClass }) => podClass.claims.some(({ key }) => exclusive.includes(key)))
        .map(({ uid }) => uid);
    return {
      scope: 'cluster',
      filter: {
        fits: isFree,
        reasons: () => (isFree() ? NONE : [IN_USE]),
        remedies: () => (isFree() ? [] : [{ kind: 'leave', uids: users() }]),
      },
    };
  },
};
