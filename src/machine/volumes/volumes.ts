// The volumes of a pod on this machine.

import type { PodUid } from '../../base/brand.ts';
import { PodwrightError } from '../../base/errors.ts';
import type { MachineDirs } from '../layout.ts';
import type { VolumeSetup } from '../machine.ts';

export async function setUpVolumes(
  _dirs: MachineDirs,
  _setup: VolumeSetup,
  _signal: AbortSignal,
): Promise<void> {
  throw new PodwrightError('Unsupported', 'set up volumes');
}

export async function removeVolumes(_dirs: MachineDirs, _uid: PodUid): Promise<void> {
  throw new PodwrightError('Unsupported', 'remove volumes');
}

/** Names of the volumes that are set up. */
export function listVolumes(_dirs: MachineDirs, _uid: PodUid): string[] {
  return [];
}

export type VolumeMountSource = { readonly name: string; readonly subPath?: string | undefined };

/** The host path to bind into a container. Throws ConfigFailed. */
export async function resolveMount(
  _dirs: MachineDirs,
  _uid: PodUid,
  _source: VolumeMountSource,
): Promise<string> {
  throw new PodwrightError('Unsupported', 'resolve mount');
}
