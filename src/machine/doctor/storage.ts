// The doctor's questions about the file system the engine keeps its data on.
import { mkdir, mkdtemp, rm, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorText } from '../../base/errors.ts';
import { errnoOf } from '../../base/files.ts';
import { mount, unmount } from '../system/libc.ts';
import type { Finding } from './finding.ts';

const GIB = 2 ** 30;
/** Below this an image of any size does not fit. */
const FREE_BYTES_MIN = 2 * GIB;

/** The directory itself, or the nearest one above it that exists. */
async function existing(path: string): Promise<string> {
  try {
    await statfs(path);
    return path;
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' || path === dirname(path)) throw error;
    return existing(dirname(path));
  }
}

export async function examineDisk(dataDir: string): Promise<Finding> {
  const { bavail, bsize, ffree, files } = await statfs(await existing(dataDir));
  const freeBytes = bavail * bsize;
  const found = `${(freeBytes / GIB).toFixed(1)} GiB free for ${dataDir}`;
  // Some file systems count no inodes: both are 0.
  if (files > 0 && ffree === 0)
    return {
      topic: 'disk',
      state: 'missing',
      found: `no inodes free for ${dataDir}`,
      remedy: 'remove files',
    };
  if (freeBytes >= FREE_BYTES_MIN) return { topic: 'disk', state: 'ok', found };
  const remedy = 'make room, or serve with --data-dir on a larger disk';
  return { topic: 'disk', state: 'warning', found, remedy };
}

/** Mounts one, on the disk where the images will be: an overlay on an overlay, for one, is refused only then. */
export async function examineOverlay(dataDir: string): Promise<Finding> {
  const topic = 'overlayfs';
  let scratch: string | undefined;
  try {
    scratch = await mkdtemp(join(await existing(dataDir), 'podwright-doctor-'));
    const [lower, upper, work, target] = ['lower', 'upper', 'work', 'target'].map((name) =>
      join(scratch ?? '', name),
    );
    for (const dir of [lower, upper, work, target]) await mkdir(dir ?? '');
    mount('overlay', target ?? '', 'overlay', 0, `lowerdir=${lower},upperdir=${upper},workdir=${work}`);
    unmount(target ?? '');
    return { topic, state: 'ok', found: `works below ${dataDir}` };
  } catch (error) {
    const remedy =
      'as root, on a kernel with overlayfs (modprobe overlay); serve with --data-dir on ext4 or xfs, not on an overlay';
    return { topic, state: 'missing', found: errorText(error), remedy };
  } finally {
    if (scratch !== undefined) await rm(scratch, { recursive: true, force: true });
  }
}
