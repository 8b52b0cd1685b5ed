// The image store: skopeo fetches and unpacks into containers/storage, the store's index tells what is there.
//
// Invariant: an image is in the index only when all its layers are unpacked (containers/storage writes the image's
// entry last), so whatever list() or resolve() gives can be mounted.
import { BOUNDS } from '../../base/bounds.ts';
import { PodwrightError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { normalImageName, parseImageReference } from '../../kube/image-reference.ts';
import { type MachineDirs, storageDir } from '../layout.ts';
import type { Image, ImageStore } from '../model/image.ts';
import { digestsOf, findImage, sameName } from './find-image.ts';
import { loadArchive } from './load.ts';
import { pullImage } from './pull.ts';
import type { OciImageConfig, RootfsSource } from './rootfs.ts';
import { createSharedWork } from './shared-work.ts';
import { createSkopeo } from './skopeo.ts';
import { createStoreIndex, type StoredImage, type StoreIndex } from './store-index.ts';
import { removeName } from './untag.ts';

export type ImageStoreOptions = { readonly dirs: MachineDirs; readonly log: Log };

export function createImageStore({ dirs, log }: ImageStoreOptions): ImageStore & RootfsSource {
  const root = storageDir(dirs);
  const index = createStoreIndex(root);
  const skopeo = createSkopeo(dirs);
  const pulls = createSharedWork<void>(BOUNDS.parallelPulls);
  const describe = createDescriber(index);

  const resolve = async (reference: string): Promise<Image | undefined> => {
    const found = findImage(await index.images(), reference);
    return found === undefined ? undefined : describe.image(found);
  };
  const need = async (reference: string): Promise<StoredImage> => {
    const found = findImage(await index.images(), reference);
    if (found !== undefined) return found;
    throw new PodwrightError('ImageNotFound', `image ${reference} is not in the local store`);
  };
  const needDescribed = async (reference: string): Promise<Image> => describe.image(await need(reference));

  return {
    resolve,
    list: async () => {
      const images = await index.images();
      describe.forgetAllBut(images);
      return Promise.all(images.map(describe.image));
    },
    pull: async (reference, options) => {
      const parsed = parseImageReference(reference);
      const name = normalImageName(parsed);
      const startedMs = performance.now();
      // Callers with other credentials do not share: who may not pull must not be told what another one pulled.
      const key = JSON.stringify([name, options.auths ?? []]);
      const work = (signal: AbortSignal): Promise<void> => pullImage(skopeo, parsed, { ...options, signal });
      await pulls.run({ key, lane: parsed.registry, work }, options.signal);
      log.info('image pulled', { image: name, ms: Math.round(performance.now() - startedMs) });
      return needDescribed(name);
    },
    load: async (path, options) => {
      const names = await loadArchive(skopeo, path, options);
      log.info('images loaded', { path, images: names.join(' ') });
      const images = await Promise.all(names.map(needDescribed));
      return [...new Map(images.map((image) => [image.id, image])).values()];
    },
    remove: async (reference) => {
      const image = await need(reference);
      const name = (image.names ?? []).find((candidate) => sameName(candidate, reference));
      const others = (image.names ?? []).filter((candidate) => candidate !== name);
      if (name !== undefined && others.length > 0) await removeName(root, image.id, name);
      else await skopeo.deleteImage(image.id);
      log.info('image removed', { image: reference });
    },
    config: async (imageId) => (await readConfig(index, await need(imageId))).config ?? {},
    layers: async (imageId) => (await index.layersOf(await need(imageId))).map(index.layerDir),
  };
}

type ImageConfigFile = { readonly created?: string; readonly config?: OciImageConfig };

/** The OCI (or Docker) image config; the image's id is its digest. */
async function readConfig(index: StoreIndex, image: StoredImage): Promise<ImageConfigFile> {
  return JSON.parse(await index.bigData(image, `sha256:${image.id}`)) as ImageConfigFile;
}

type Describer = {
  image(image: StoredImage): Promise<Image>;
  /** Keeps what is remembered no larger than the store. */
  forgetAllBut(images: readonly StoredImage[]): void;
};

/** Sizes and configs never change for an id, so they are read once per id. */
function createDescriber(index: StoreIndex): Describer {
  const known = new Map<string, Pick<Image, 'sizeBytes' | 'createdAtMs' | 'user' | 'stopSignal'>>();
  const describe = async (image: StoredImage): Promise<Image> => {
    let fixed = known.get(image.id);
    if (fixed === undefined) {
      const { created, config } = await readConfig(index, image);
      const layers = await index.layersOf(image);
      fixed = {
        sizeBytes: layers.reduce((sum, layer) => sum + (layer['diff-size'] ?? 0), 0),
        ...(created === undefined ? {} : { createdAtMs: Date.parse(created) }),
        user: config?.User ?? '',
        ...(config?.StopSignal === undefined ? {} : { stopSignal: config.StopSignal }),
      };
      known.set(image.id, fixed);
    }
    const names = image.names ?? [];
    return {
      id: `sha256:${image.id}`,
      tags: names.filter((name) => !name.includes('@')),
      digests: [...new Set(names.flatMap((name) => digestsOf(name, image)))],
      ...fixed,
    };
  };
  const forgetAllBut = (images: readonly StoredImage[]): void => {
    const present = new Set(images.map(({ id }) => id));
    for (const id of known.keys()) if (!present.has(id)) known.delete(id);
  };
  return { image: describe, forgetAllBut };
}
