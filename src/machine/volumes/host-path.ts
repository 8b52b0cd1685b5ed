// hostPath: checks, and for the ...OrCreate types makes, what is to be mounted from the node. It is never removed.
// https://kubernetes.io/docs/concepts/storage/volumes/#hostpath-volume-types
import type { Stats } from 'node:fs';
import { chmod, mkdir, open, stat } from 'node:fs/promises';
import { PodwrightError } from '../../base/errors.ts';
import { errnoOf } from '../../base/files.ts';
import type { VolumeConfig } from '../model/volume.ts';

type HostPathType = Extract<VolumeConfig, { kind: 'hostPath' }>['type'];
type HostPath = { readonly path: string; readonly type: HostPathType };

type TypeRule = {
  readonly matches: (stats: Stats) => boolean;
  /** The kubelet's words: "/x is not <what>". */
  readonly what: string;
  readonly create?: (path: string) => Promise<void>;
};

const directory = { matches: (stats: Stats) => stats.isDirectory(), what: 'a directory' };
const file = { matches: (stats: Stats) => stats.isFile(), what: 'a file' };

const TYPE_RULES: Record<Exclude<HostPathType, ''>, TypeRule> = {
  Directory: directory,
  DirectoryOrCreate: { ...directory, create: makeDirectory },
  File: file,
  FileOrCreate: { ...file, create: makeFile },
  Socket: { matches: (stats) => stats.isSocket(), what: 'a socket file' },
  CharDevice: { matches: (stats) => stats.isCharacterDevice(), what: 'a character device' },
  BlockDevice: { matches: (stats) => stats.isBlockDevice(), what: 'a block device' },
};

/** Throws ConfigFailed with the kubelet's words. */
export async function checkHostPath({ path, type }: HostPath): Promise<void> {
  if (type === '') return;
  const rule = TYPE_RULES[type];
  const stats = await statIfExists(path);
  if (stats === undefined && rule.create !== undefined) return rule.create(path);
  if (stats === undefined || !rule.matches(stats)) {
    throw new PodwrightError('ConfigFailed', `hostPath type check failed: ${path} is not ${rule.what}`);
  }
}

async function statIfExists(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined;
    throw error;
  }
}

async function makeDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o755 });
  if (first !== undefined) await chmod(path, 0o755);
}

/** As the kubelet: the file alone, not the directories above it. */
async function makeFile(path: string): Promise<void> {
  const handle = await open(path, 'a', 0o644);
  await handle.close();
}
