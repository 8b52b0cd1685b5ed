// Loads an archive or layout from disk into the store. What kind it is and what it holds, archive.ts tells.
import { resolve } from 'node:path';
import { PodwrightError } from '../../base/errors.ts';
import { normalImageName, parseImageReference } from '../../kube/image-reference.ts';
import { readArchive } from './archive.ts';
import { skopeoWords } from './pull.ts';
import type { Skopeo } from './skopeo.ts';

type LoadOptions = { readonly signal: AbortSignal; readonly name?: string | undefined };

/** Copies every image of the archive under every name it has; returns the names. */
export async function loadArchive(
  skopeo: Skopeo,
  file: string,
  { signal, name }: LoadOptions,
): Promise<string[]> {
  // Links to it are made elsewhere.
  const path = resolve(file);
  return skopeo.withScratch(async (scratch) => {
    const archived = await readArchive(path, scratch, signal);
    const loaded: string[] = [];
    for (const image of archived) {
      const names = name === undefined ? image.names : archived.length === 1 ? [name] : [];
      if (names.length === 0) {
        const why =
          name === undefined
            ? 'an image without a name; give one'
            : 'several images, so one name does not do';
        throw new PodwrightError('InvalidInput', `load images from ${path}: it holds ${why}`);
      }
      for (const text of names) {
        const normal = normalImageName(parseImageReference(text));
        const result = await skopeo.copy({ source: image.source, name: normal, scratch, signal });
        if (result.exitCode !== 0) {
          const words = skopeoWords(result.stderr);
          throw new PodwrightError('InvalidInput', `load image ${normal} from ${path}: ${words}`);
        }
        loaded.push(normal);
      }
    }
    return loaded;
  });
}
