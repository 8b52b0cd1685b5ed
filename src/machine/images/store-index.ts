// What the containers/storage directory holds, read from its own index files; no program is started, so that looking up
// an image costs one stat(2) per file. Not a writer: skopeo writes the store, and replaces an index file as a whole.
//
// Invariant: an answer is never older than the index files were when it was asked for.
import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PodwrightError } from '../../base/errors.ts';
import { errnoOf } from '../../base/files.ts';

/** An entry of overlay-images/images.json, as far as it is used here. */
export type StoredImage = {
  readonly id: string;
  /** The digest of the manifest or index it was pulled by. */
  readonly digest?: string;
  readonly names?: readonly string[];
  /** The topmost layer; absent for an image without layers. */
  readonly layer?: string;
  readonly 'big-data-names'?: readonly string[];
};

/** An entry of overlay-layers/layers.json, as far as it is used here. */
export type StoredLayer = {
  readonly id: string;
  readonly parent?: string;
  /** Unpacked. */
  readonly 'diff-size'?: number;
};

export type StoreIndex = {
  images(): Promise<readonly StoredImage[]>;
  /** The image's layers, topmost first. Throws StoreCorrupt when one is missing. */
  layersOf(image: StoredImage): Promise<readonly StoredLayer[]>;
  /** The directory with a layer's files. */
  layerDir(layer: StoredLayer): string;
  /** A file kept with the image, by the store's name for it: the config under its digest, "manifest". */
  bigData(image: StoredImage, name: string): Promise<string>;
};

export function createStoreIndex(root: string): StoreIndex {
  const images = cachedFile<readonly StoredImage[]>(join(root, 'overlay-images/images.json'), JSON.parse, []);
  const layers = cachedFile<ReadonlyMap<string, StoredLayer>>(
    join(root, 'overlay-layers/layers.json'),
    (text) => new Map((JSON.parse(text) as StoredLayer[]).map((layer) => [layer.id, layer])),
    new Map(),
  );
  return {
    images,
    layersOf: async (image) => {
      const byId = await layers();
      const chain: StoredLayer[] = [];
      for (let id = image.layer; id !== undefined && id !== ''; id = chain.at(-1)?.parent) {
        const layer = byId.get(id);
        if (layer === undefined) {
          throw new PodwrightError(
            'StoreCorrupt',
            `read layers of image ${image.id}: layer ${id} is missing in ${root}`,
          );
        }
        chain.push(layer);
      }
      return chain;
    },
    layerDir: (layer) => join(root, 'overlay', layer.id, 'diff'),
    bigData: (image, name) => readFile(join(root, 'overlay-images', image.id, bigDataFile(name)), 'utf8'),
  };
}

/** containers/storage: a name that is not a plain file name is stored as "=" and its base64. */
function bigDataFile(name: string): string {
  return /^[a-z]+$/.test(name) ? name : `=${Buffer.from(name).toString('base64')}`;
}

/** Parses the file again only after it has been replaced; `empty` while it does not exist. */
function cachedFile<T>(path: string, parse: (text: string) => T, empty: T): () => Promise<T> {
  let cached: { readonly version: string; readonly value: T } | undefined;
  return async () => {
    try {
      const { ino, mtimeNs, size } = await stat(path, { bigint: true });
      const version = `${ino} ${mtimeNs} ${size}`;
      if (cached?.version !== version) cached = { version, value: parse(await readFile(path, 'utf8')) };
      return cached.value;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return empty;
      if (error instanceof SyntaxError) {
        const remedy = `with no engine running, remove ${dirname(dirname(path))} and load the images again`;
        throw new PodwrightError('StoreCorrupt', `read ${path}: ${error.message}; ${remedy}`);
      }
      throw error;
    }
  };
}
