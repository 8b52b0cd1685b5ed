// The infra container's root: /pause, from the pause image.
import { PodwrightError } from '../../base/errors.ts';
import type { MachineDirs } from '../layout.ts';
import type { ImageStore } from '../machine.ts';
import type { RootfsSource } from './rootfs.ts';

/**
 * A read-only directory that holds /pause. Loads the image into the store (as podwright.dev/pause:1) if it is not there.
 */
export async function ensurePauseRootfs(
  _dirs: MachineDirs,
  _images: ImageStore & RootfsSource,
  _signal: AbortSignal,
): Promise<string> {
  throw new PodwrightError('Unsupported', 'pause image');
}
