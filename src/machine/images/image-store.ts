// The image store: skopeo and containers/storage.

import { PodwrightError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { MachineDirs } from '../layout.ts';
import type { ImageStore } from '../machine.ts';
import type { RootfsSource } from './rootfs.ts';

export function createImageStore(_options: {
  readonly dirs: MachineDirs;
  readonly log: Log;
}): ImageStore & RootfsSource {
  throw new PodwrightError('Unsupported', 'image store');
}
