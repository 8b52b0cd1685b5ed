// Which host path to bind for a volume mount. A subPath lies where containers may write, so what it means is decided by
// the kernel within the volume (open-beneath.ts) and held by a bind mount made from the open descriptor: whatever a
// container renames or links afterwards, the runtime binds what was checked.
// https://kubernetes.io/docs/concepts/storage/volumes/#using-subpath
import { createHash } from 'node:crypto';
import { chmodSync, closeSync, existsSync, fstatSync, mkdirSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { PodUid } from '../../base/brand.ts';
import { errorText, PodwrightError } from '../../base/errors.ts';
import { errnoOf } from '../../base/files.ts';
import { type MachineDirs, subPathsDir, volumeDir } from '../layout.ts';
import type { VolumeConfig } from '../model/volume.ts';
import { MS, mount, unmount } from '../system/libc.ts';
import { descriptorPath, openBeneath, withDirectory } from '../system/open-beneath.ts';
import { readRecord, type VolumeRecord } from './volume-record.ts';

export type VolumeMountSource = { readonly name: string; readonly subPath?: string | undefined };

/**
 * The host path to bind into a container. A subPath that does not exist becomes a directory with the volume's mode, as
 * the kubelet does. Throws ConfigFailed: the volume is not set up, a hostPath is absent, the subPath leads out.
 */
export async function resolveMount(
  dirs: MachineDirs,
  uid: PodUid,
  source: VolumeMountSource,
): Promise<string> {
  const root = volumeRoot(dirs, uid, source.name);
  if (source.subPath === undefined || source.subPath === '') return root;
  try {
    return bindSubPath({ root, subPath: source.subPath, directory: bindDir(dirs, uid, source) });
  } catch (error) {
    const why = errnoOf(error) === 'EXDEV' ? 'it leads out of the volume' : errorText(error);
    const doing = `prepare subPath ${JSON.stringify(source.subPath)} of volume "${source.name}"`;
    throw new PodwrightError('ConfigFailed', `${doing}: ${why}`, { cause: error });
  }
}

/** What holds for every mount of a volume, whatever the container asks for (the kubelet's volume.Attributes). */
export type VolumeAttributes = { readonly readOnly: boolean };

/** Files that the agent writes are never a container's to change: a write would be lost with the next update. */
const ALWAYS_READ_ONLY: Record<VolumeConfig['kind'], boolean> = {
  emptyDir: false,
  hostPath: false,
  local: false,
  csi: false,
  files: true,
  image: true,
};

/** Of a volume that is set up. */
export function volumeAttributes(dirs: MachineDirs, uid: PodUid, name: string): VolumeAttributes {
  const record = recordOf(dirs, uid, name);
  return { readOnly: ALWAYS_READ_ONLY[record.kind] || ('readOnly' in record && record.readOnly === true) };
}

function recordOf(dirs: MachineDirs, uid: PodUid, name: string): VolumeRecord {
  const record = readRecord(dirs, uid, name);
  if (record !== undefined) return record;
  throw new PodwrightError('ConfigFailed', `mount volume "${name}": it is not set up`);
}

function volumeRoot(dirs: MachineDirs, uid: PodUid, name: string): string {
  const record = recordOf(dirs, uid, name);
  if (record.kind !== 'hostPath' && record.kind !== 'local') return volumeDir(dirs, uid, name);
  if (existsSync(record.path)) return record.path;
  throw new PodwrightError(
    'ConfigFailed',
    `mount volume "${name}": ${record.kind} ${record.path} does not exist`,
  );
}

/** One place per (volume, subPath): containers that mount the same share it. */
function bindDir(dirs: MachineDirs, uid: PodUid, { name, subPath = '' }: VolumeMountSource): string {
  const hash = createHash('sha256').update(subPath).digest('hex').slice(0, 16);
  return join(subPathsDir(dirs, uid), name, hash);
}

type Bind = { readonly root: string; readonly subPath: string; readonly directory: string };

function bindSubPath({ root, subPath, directory }: Bind): string {
  return withDirectory(root, (volume) => {
    const descriptor = openOrMakeDirectory(volume, subPath);
    try {
      const target = makeTarget(directory, fstatSync(descriptor).isDirectory() ? 'directory' : 'file');
      if (!isSameFile(descriptor, target)) bindDescriptor(descriptor, target);
      return target;
    } finally {
      closeSync(descriptor);
    }
  });
}

/** Opens the path within the volume, making directories component by component where something is missing. */
function openOrMakeDirectory(volume: number, path: string): number {
  try {
    return openBeneath(volume, path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  for (let depth = 1; depth <= parts.length; depth += 1)
    makeDirectoryIfMissing(volume, parts.slice(0, depth));
  return openBeneath(volume, path);
}

function makeDirectoryIfMissing(volume: number, parts: readonly string[]): void {
  const parent = openBeneath(volume, parts.slice(0, -1).join('/'));
  try {
    const path = join(descriptorPath(parent), parts.at(-1) ?? '');
    mkdirSync(path);
    // Beside the volume's rights the setgid bit that mkdir(2) took over from the parent.
    const inherited = statSync(path).mode & 0o2000;
    chmodSync(path, (fstatSync(volume).mode & 0o777) | inherited);
  } catch (error) {
    // It is there, or a symlink to nothing is: the open that follows tells them apart.
    if (errnoOf(error) !== 'EEXIST') throw error;
  } finally {
    closeSync(parent);
  }
}

/** A directory is bound on a directory, anything else on a file; both names may exist after the subPath changed. */
function makeTarget(directory: string, kind: 'directory' | 'file'): string {
  const target = join(directory, kind);
  mkdirSync(kind === 'directory' ? target : directory, { recursive: true, mode: 0o700 });
  if (kind === 'file') closeSync(openSync(target, 'a'));
  return target;
}

/** Whether the target is already a bind of this very file or directory. */
function isSameFile(descriptor: number, target: string): boolean {
  const [wanted, present] = [fstatSync(descriptor), statSync(target)];
  return wanted.dev === present.dev && wanted.ino === present.ino;
}

/** Replaces what was bound there; containers that run keep theirs. */
function bindDescriptor(descriptor: number, target: string): void {
  while (unmount(target));
  mount(descriptorPath(descriptor), target, '', MS.BIND, '');
}
