// Carries out image garbage collection: sees which images there are and which are used, and removes what image-collection.ts
// says. What is used is asked of the machine, what is needed of the API: nodes of one engine share their images.
import type { Clock } from '../base/clock.ts';
import { errorText, isPodwrightError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { ResourceApi } from '../client/resource-api.ts';
import { PODS } from '../client/resources.ts';
import type { Pod } from '../kube/api-types.ts';
import { isTerminal } from '../kube/pod.ts';
import { PAUSE_IMAGE } from '../machine/images/pause-rootfs.ts';
import type { Machine } from '../machine/machine.ts';
import { everyContainer, statusesOf } from './container-instances.ts';
import { type ImageBounds, type ImageFacts, type ImageUse, planImageCollection } from './image-collection.ts';

export type ImageCollectorOptions = {
  readonly api: ResourceApi;
  readonly machine: Machine;
  readonly clock: Clock;
  readonly log: Log;
  readonly bounds: ImageBounds;
  readonly tellNode: (reason: string, message: string) => void;
};

export class ImageCollector {
  readonly #options: ImageCollectorOptions;
  /** Absent until the first look: what is there then is as old as can be. */
  #uses: ReadonlyMap<string, ImageUse> | undefined;

  constructor(options: ImageCollectorOptions) {
    this.#options = options;
  }

  /** @param extent 'every unused image': the node is short of disk, whatever the thresholds say. */
  async collect(extent: 'to the threshold' | 'every unused image'): Promise<void> {
    const { machine, clock, bounds, tellNode } = this.#options;
    const { images, uses, needed } = await this.look();
    const nowMs = clock.nowMs();
    const fs = machine.nodeUsage().fs;
    const disk = extent === 'to the threshold' ? fs : { ...fs, availableBytes: Number.NEGATIVE_INFINITY };
    const { remove, shortfall } = planImageCollection({ images, uses, needed, disk, nowMs }, bounds);
    for (const { id, tags } of remove) await this.#remove(id, tags[0] ?? id);
    if (shortfall === undefined || extent === 'every unused image') return;
    const { wantedBytes, freedBytes } = shortfall;
    tellNode(
      'FreeDiskSpaceFailed',
      `Failed to garbage collect required amount of images. Attempted to free ${Math.ceil(wantedBytes)} bytes, but only found ${freedBytes} bytes eligible to free.`,
    );
  }

  /** Notes which images there are and which are used. */
  async look(): Promise<Pick<ImageFacts, 'images' | 'uses' | 'needed'>> {
    const { machine, clock } = this.#options;
    const needed = await this.#needed();
    const images = await machine.images.list();
    const nowMs = clock.nowMs();
    const before = this.#uses;
    const uses = new Map(
      images.map(({ id }): [string, ImageUse] => {
        const known = before?.get(id) ?? { firstSeenMs: before === undefined ? 0 : nowMs, lastUsedMs: 0 };
        return [id, needed.has(id) ? { ...known, lastUsedMs: nowMs } : known];
      }),
    );
    this.#uses = uses;
    return { images, uses, needed };
  }

  async #remove(id: string, name: string): Promise<void> {
    const { machine, log } = this.#options;
    try {
      await machine.images.remove(id);
      log.info('unused image removed', { image: name });
    } catch (error) {
      log.warn('unused image stays', { image: name, error: errorText(error) });
    }
  }

  async #needed(): Promise<ReadonlySet<string>> {
    const { api, machine } = this.#options;
    const { items } = await api.list(PODS);
    const alive = items.filter((pod) => !isTerminal(pod));
    const references = new Set([PAUSE_IMAGE, ...alive.flatMap(referencesOf)]);
    const ids = await Promise.all([...references].map((reference) => this.#idOf(reference)));
    const told = alive.flatMap((pod) => statusesOf(pod.status).map(({ imageID }) => imageID));
    return new Set([...machine.imagesInUse(), ...ids.flatMap((id) => id ?? []), ...told]);
  }

  async #idOf(reference: string): Promise<string | undefined> {
    try {
      return (await this.#options.machine.images.resolve(reference))?.id;
    } catch (error) {
      // A pod may ask for what is no name at all.
      if (isPodwrightError(error, 'InvalidImageName')) return undefined;
      throw error;
    }
  }
}

function referencesOf(pod: Pod): readonly string[] {
  const ofVolumes = (pod.spec?.volumes ?? []).flatMap(({ image }) => image?.reference ?? []);
  return [...everyContainer(pod).flatMap(({ image }) => image ?? []), ...ofVolumes];
}
