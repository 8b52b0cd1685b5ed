// Which images may go: the kubelet's image garbage collection. When their disk is filled to the high threshold, the ones
// longest unused go until it is down to the low one; and what nobody used for too long. Pure but for the class, which
// remembers when each was seen and used, as the kubelet does, for this agent's life.
// https://kubernetes.io/docs/concepts/architecture/garbage-collection/#containers-images
import type { KubeletConfiguration } from '../kube/kubelet-configuration.ts';
import type { Image } from '../machine/model/image.ts';
import type { FsUsage } from '../machine/model/usage.ts';

export type ImageBounds = Pick<
  KubeletConfiguration,
  'imageGcHighThresholdPercent' | 'imageGcLowThresholdPercent' | 'imageMinimumGcAge' | 'imageMaximumGcAge'
>;

export type ImageUse = { readonly firstSeenMs: number; readonly lastUsedMs: number };

export type ImageFacts = {
  readonly images: readonly Image[];
  /** By image id. */
  readonly uses: ReadonlyMap<string, ImageUse>;
  /** Ids of those that a container uses or a pod needs. */
  readonly needed: ReadonlySet<string>;
  readonly disk: Pick<FsUsage, 'capacityBytes' | 'availableBytes'>;
  readonly nowMs: number;
};

export type ImageCollection = {
  readonly remove: readonly Image[];
  /** What was to be freed and what that frees, where it is not enough. */
  readonly shortfall?: { readonly wantedBytes: number; readonly freedBytes: number } | undefined;
};

/** No registry has what is named so: somebody loaded it, and nobody could pull it again (CRI: a pinned image). */
const isPinned = ({ tags }: Image): boolean => tags.some((tag) => tag.startsWith('localhost/'));

function candidates({ images, uses, needed, nowMs }: ImageFacts, bounds: ImageBounds): readonly Image[] {
  const useOf = ({ id }: Image): ImageUse => uses.get(id) ?? { firstSeenMs: nowMs, lastUsedMs: 0 };
  return images
    .filter((image) => !needed.has(image.id) && !isPinned(image))
    .filter((image) => nowMs - useOf(image).firstSeenMs >= bounds.imageMinimumGcAge)
    .sort((a, b) => {
      const [one, other] = [useOf(a), useOf(b)];
      return one.lastUsedMs - other.lastUsedMs || one.firstSeenMs - other.firstSeenMs;
    });
}

/** How many bytes must go; 0 below the high threshold. */
export function bytesToFree(disk: ImageFacts['disk'], bounds: ImageBounds): number {
  const { capacityBytes, availableBytes } = disk;
  const usedPercent = capacityBytes === 0 ? 0 : 100 - (availableBytes * 100) / capacityBytes;
  if (usedPercent < bounds.imageGcHighThresholdPercent) return 0;
  return Math.max(0, (capacityBytes * (100 - bounds.imageGcLowThresholdPercent)) / 100 - availableBytes);
}

export function planImageCollection(facts: ImageFacts, bounds: ImageBounds): ImageCollection {
  const { uses, disk, nowMs } = facts;
  const maxMs = bounds.imageMaximumGcAge;
  const isTooOld = ({ id }: Image): boolean => {
    const use = uses.get(id);
    return maxMs > 0 && use !== undefined && nowMs - Math.max(use.lastUsedMs, use.firstSeenMs) > maxMs;
  };
  const able = candidates(facts, bounds);
  const remove = able.filter(isTooOld);
  const wantedBytes = bytesToFree(disk, bounds);
  let freedBytes = remove.reduce((sum, image) => sum + image.sizeBytes, 0);
  for (const image of able) {
    if (freedBytes >= wantedBytes) break;
    if (remove.includes(image)) continue;
    remove.push(image);
    freedBytes += image.sizeBytes;
  }
  return freedBytes >= wantedBytes ? { remove } : { remove, shortfall: { wantedBytes, freedBytes } };
}
