// The root file system of infra containers: the pause image's one layer, read-only and shared by all pods, so that a
// sandbox needs no mount of its own. The image itself is an ordinary one of the store (scripts/build-pause.ts makes it).
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PodwrightError } from '../../base/errors.ts';
import type { ImageStore } from '../model/image.ts';
import type { RootfsSource } from './rootfs.ts';

export const PAUSE_IMAGE = 'podwright.dev/pause:1';
const ARCHIVE = 'images/build/pause.oci.tar';

/** Absent: the archive that comes with the package. */
export type PauseOptions = { readonly archive?: string | undefined; readonly signal: AbortSignal };

/**
 * A directory that holds /pause and the mount points dev, proc and sys; nothing may be written to it. Loads the image
 * if the store does not have it; otherwise it only reads the store's index. Throws ConfigFailed, StoreCorrupt.
 */
export async function ensurePauseRootfs(
  images: ImageStore & RootfsSource,
  options: PauseOptions,
): Promise<string> {
  const image = (await images.resolve(PAUSE_IMAGE)) ?? (await loadPause(images, options));
  const [layer, ...others] = await images.layers(image.id);
  if (layer === undefined || others.length > 0) {
    throw new PodwrightError(
      'ConfigFailed',
      `prepare the infra container: ${PAUSE_IMAGE} does not have one layer`,
    );
  }
  return layer;
}

async function loadPause(
  images: ImageStore,
  { archive, signal }: PauseOptions,
): Promise<{ readonly id: string }> {
  const path = archive ?? join(packageRoot(import.meta.dirname), ARCHIVE);
  if (!existsSync(path)) {
    const remedy = 'run `npm run setup`, which builds it';
    throw new PodwrightError('ConfigFailed', `prepare the infra container: ${path} is missing; ${remedy}`);
  }
  const [image] = await images.load(path, { signal, name: PAUSE_IMAGE });
  if (image === undefined)
    throw new PodwrightError('ConfigFailed', `prepare the infra container: ${path} is empty`);
  return image;
}

/** The nearest directory upwards with a package.json: the same from sources and from compiled JavaScript. */
function packageRoot(from: string): string {
  if (existsSync(join(from, 'package.json')) || dirname(from) === from) return from;
  return packageRoot(dirname(from));
}
