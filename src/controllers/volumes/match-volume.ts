// Which volume that is there already a claim gets: the smallest that is enough (kube's FindMatchingVolume). Pure.
import type { PersistentVolume, PersistentVolumeClaim, Quantity } from '../../kube/api-types.ts';
import { labelSelectorMatcher } from '../../kube/label-selector.ts';
import { quantityValue } from '../../kube/quantity.ts';

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
