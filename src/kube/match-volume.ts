// Which volume that is there already a claim gets: the smallest that is enough (kube's FindMatchingVolume). Pure.
import type { Node, PersistentVolume, PersistentVolumeClaim, Quantity } from './api-types.ts';
import { labelSelectorMatcher } from './label-selector.ts';
import { matchesNodeTerm } from './node-selector.ts';
import { quantityValue } from './quantity.ts';

const bytes = (quantity: Quantity | undefined): number =>
  quantity === undefined ? 0 : quantityValue(quantity);
const capacityOf = (volume: PersistentVolume): number => bytes(volume.spec?.capacity?.storage);

/** What a user who names the volume must respect, too. */
export function isFit(volume: PersistentVolume, { spec = {} }: PersistentVolumeClaim): boolean {
  const modes = volume.spec?.accessModes ?? [];
  return (
    capacityOf(volume) >= bytes(spec.resources?.requests?.storage) &&
    (volume.spec?.storageClassName ?? '') === (spec.storageClassName ?? '') &&
    (volume.spec?.volumeMode ?? 'Filesystem') === (spec.volumeMode ?? 'Filesystem') &&
    (spec.accessModes ?? []).every((mode) => modes.includes(mode))
  );
}

export function matchVolume(
  claim: PersistentVolumeClaim,
  volumes: readonly PersistentVolume[],
): PersistentVolume | undefined {
  const { selector } = claim.spec ?? {};
  const isSelected = selector === undefined ? () => true : labelSelectorMatcher(selector);
  return volumes
    .filter(({ spec, metadata }) => spec?.claimRef === undefined && metadata?.deletionTimestamp === undefined)
    .filter((volume) => isFit(volume, claim) && isSelected(volume.metadata?.labels ?? {}))
    .sort((a, b) => capacityOf(a) - capacityOf(b))[0];
}

/** One without node affinity is everywhere. */
export function volumeAllowsNode({ spec }: PersistentVolume, node: Node): boolean {
  const terms = spec?.nodeAffinity?.required?.nodeSelectorTerms;
  return terms === undefined || terms.some((term) => matchesNodeTerm(node, term));
}
