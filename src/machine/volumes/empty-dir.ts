// emptyDir on disk and in memory; the latter is also what secrets are written to.
// https://kubernetes.io/docs/concepts/storage/volumes/#emptydir
//
// A sizeLimit bounds a tmpfs by itself; on disk it is kept in the volume's record for the agent's eviction.
import { statSync } from 'node:fs';
import { chmod, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf } from '../../base/files.ts';
import { mount } from '../system/libc.ts';
import { applyFsGroup } from './fs-group.ts';

export type Medium = { readonly medium: 'disk' | 'memory'; readonly sizeLimitBytes?: number | undefined };

/** Anybody in the pod may write: kubelet's mode of an emptyDir. */
const EMPTY_DIR_MODE = 0o777;

/** Makes the directory, writable for every container of the pod; its content is left as it is. */
export async function setUpEmptyDir(
  directory: string,
  medium: Medium,
  fsGroup: number | undefined,
): Promise<void> {
  await setUpMedium(directory, medium);
  if (fsGroup !== undefined) await applyFsGroup(directory, { gid: fsGroup, changePolicy: 'Always' });
}

/** The directory itself, on disk or as a tmpfs of its own. */
export async function setUpMedium(directory: string, { medium, sizeLimitBytes }: Medium): Promise<void> {
  await mkdir(directory, { recursive: true });
  if (medium === 'memory') {
    if (isMounted(directory)) return;
    const size = sizeLimitBytes === undefined ? '' : `,size=${sizeLimitBytes}`;
    mount('tmpfs', directory, 'tmpfs', 0, `mode=0${EMPTY_DIR_MODE.toString(8)}${size}`);
  } else {
    // Not mkdir's mode: that is cut by the umask.
    await chmod(directory, EMPTY_DIR_MODE);
  }
}

/** Whether a file system of its own lies on the directory. */
export function isMounted(directory: string): boolean {
  try {
    return statSync(directory).dev !== statSync(dirname(directory)).dev;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}
