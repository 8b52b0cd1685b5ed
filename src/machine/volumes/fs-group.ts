// fsGroup: gives a volume to a group, with everything in it. https://kubernetes.io/docs/tasks/configure-pod-container/security-context/
//
// Invariant: containers of other pods may rename and link in the volume meanwhile, yet nothing outside it is touched: each
// step goes from an open directory to an entry of it, and never through a symlink.
import type { Stats } from 'node:fs';
import { chmod, chown, constants, type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../../base/files.ts';
import { descriptorPath, O_PATH } from '../system/open-beneath.ts';

export type FsGroup = {
  readonly gid: number;
  /** OnRootMismatch: nothing is done where the volume's own directory already is as it should be. */
  readonly changePolicy: 'Always' | 'OnRootMismatch';
};

/** The group reads and writes; it enters directories, and what is made in them is the group's too (kubelet's masks). */
const FILE_BITS = 0o660;
const DIR_BITS = 0o2770;
const MODE_BITS = 0o7777;

export async function applyFsGroup(directory: string, { gid, changePolicy }: FsGroup): Promise<void> {
  const root = await open(directory, O_PATH | constants.O_DIRECTORY);
  try {
    if (changePolicy === 'OnRootMismatch' && isRight(await root.stat(), gid)) return;
    await giveTree(root, gid);
  } finally {
    await root.close();
  }
}

const bitsOf = (stats: Stats): number => (stats.isDirectory() ? DIR_BITS : FILE_BITS);
const isRight = (stats: Stats, gid: number): boolean =>
  stats.gid === gid && (stats.isSymbolicLink() || (stats.mode & bitsOf(stats)) === bitsOf(stats));

/** The directory itself comes last: an interrupted change does not look finished to OnRootMismatch. */
async function giveTree(handle: FileHandle, gid: number): Promise<void> {
  const stats = await handle.stat();
  if (stats.isDirectory()) {
    for (const name of await readdir(descriptorPath(handle.fd))) await giveEntry(handle, name, gid);
  }
  if (isRight(stats, gid)) return;
  const path = descriptorPath(handle.fd);
  await chown(path, stats.uid, gid);
  // A symlink has no mode of its own. After chown, which takes setuid and setgid away.
  if (!stats.isSymbolicLink()) await chmod(path, (stats.mode & MODE_BITS) | bitsOf(stats));
}

async function giveEntry(directory: FileHandle, name: string, gid: number): Promise<void> {
  let entry: FileHandle;
  try {
    entry = await open(join(descriptorPath(directory.fd), name), O_PATH | constants.O_NOFOLLOW);
  } catch (error) {
    // Somebody who uses the volume removed it.
    if (errnoOf(error) === 'ENOENT') return;
    throw error;
  }
  try {
    await giveTree(entry, gid);
  } finally {
    await entry.close();
  }
}
