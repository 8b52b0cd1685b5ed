// Volumes made of files: configMap, secret, downwardAPI, projected. The way of the kubelet's atomic writer: the files
// lie in a directory named after a time, "..data" points to it, and the visible names point through "..data".
//
//   ..2026_11_23_08_30_00.4f2a/app.conf      the files of one version
//   ..data -> ..2026_11_23_08_30_00.4f2a     replaced by rename: the one moment at which all files change
//   app.conf -> ..data/app.conf
//
// Every pod has such a volume, so its start waits for this: the files are small, most lie in memory, and two dozen trips to the
// thread pool would cost it milliseconds. No container can write here, so none can make a file that is not read at once.
//
// Invariant: whoever reads through "..data" sees one version whole, never a mixture; a crash between any two steps is
// repaired by the next write.
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { PodwrightError } from '../../base/errors.ts';
import { errnoOf } from '../../base/files.ts';
import type { VolumeFile } from '../model/volume.ts';

const DATA = '..data';
const VERSION_DIR_MODE = 0o755;
/** fsGroup on a read-only volume (kubelet: roMask, execMask): the group may read, and enter directories. */
const FS_GROUP_FILE_BITS = 0o440;
const FS_GROUP_DIR_BITS = 0o2550;

/** Makes the volume's content the given files, no more and no fewer. Throws ConfigFailed for a path that leads out. */
export function writeFilesVolume(
  directory: string,
  files: readonly VolumeFile[],
  fsGroup: number | undefined,
): void {
  for (const file of files) checkPath(file.path);
  const wanted = files.map((file) => ({
    ...file,
    mode: file.mode | (fsGroup === undefined ? 0 : FS_GROUP_FILE_BITS),
  }));
  if (!holds(join(directory, DATA), wanted)) {
    const version = versionName();
    writeVersion(join(directory, version), wanted, fsGroup);
    replaceLink(join(directory, DATA), version);
  }
  tidy(directory, new Set(files.map((file) => topOf(file.path))));
}

const topOf = (path: string): string => path.split('/')[0] ?? path;

/** A first component that begins with ".." would collide with the writer's own names. */
function checkPath(path: string): void {
  const parts = path.split('/');
  if (path.startsWith('..') || parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw new PodwrightError('ConfigFailed', `invalid path ${JSON.stringify(path)} of a file in a volume`);
  }
}

function versionName(): string {
  const time = new Date().toISOString().slice(0, 19).replace(/[-:]/g, '_').replace('T', '_');
  return `..${time}.${randomBytes(4).toString('hex')}`;
}

function writeVersion(version: string, files: readonly VolumeFile[], fsGroup: number | undefined): void {
  makeDirectory(version, fsGroup);
  const made = new Set<string>();
  for (const file of files) {
    for (const parent of parentsOf(file.path)) {
      if (!made.has(parent)) makeDirectory(join(version, parent), fsGroup);
      made.add(parent);
    }
    const path = join(version, file.path);
    writeFileSync(path, file.content, { flag: 'wx' });
    if (fsGroup !== undefined || file.uid !== undefined) chownSync(path, file.uid ?? 0, fsGroup ?? 0);
    chmodSync(path, file.mode);
  }
}

/** "a/b/c" lies in "a" and "a/b". */
function parentsOf(path: string): string[] {
  const parent = dirname(path);
  return parent === '.' ? [] : [...parentsOf(parent), parent];
}

function makeDirectory(path: string, fsGroup: number | undefined): void {
  mkdirSync(path);
  if (fsGroup !== undefined) chownSync(path, 0, fsGroup);
  chmodSync(path, VERSION_DIR_MODE | (fsGroup === undefined ? 0 : FS_GROUP_DIR_BITS));
}

function replaceLink(link: string, target: string): void {
  const temporary = `${link}_tmp`;
  rmSync(temporary, { force: true });
  symlinkSync(target, temporary);
  renameSync(temporary, link);
}

/** Whether the directory has exactly these files, with content and mode. */
function holds(directory: string, files: readonly VolumeFile[]): boolean {
  const present = filesBelow(directory);
  if (present === undefined || present.length !== files.length) return false;
  for (const file of files) {
    if (!present.includes(file.path)) return false;
    const path = join(directory, file.path);
    const found = lstatSync(path);
    if (!found.isFile() || (found.mode & 0o7777) !== file.mode) return false;
    if (!readFileSync(path).equals(file.content)) return false;
  }
  return true;
}

/** Paths of the files below, or undefined when the directory does not exist. */
function filesBelow(directory: string): string[] | undefined {
  try {
    const entries = readdirSync(`${directory}/`, { recursive: true, withFileTypes: true });
    const plain = entries.filter((entry) => !entry.isDirectory());
    return plain.map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Visible names for the current version, none for anything else, and no older version. */
function tidy(directory: string, names: ReadonlySet<string>): void {
  const version = readlinkSync(join(directory, DATA));
  const present = new Set(readdirSync(directory));
  for (const name of names) {
    if (!present.has(name)) symlinkSync(join(DATA, name), join(directory, name));
  }
  for (const name of present) {
    if (name === DATA || name === version || names.has(name)) continue;
    rmSync(join(directory, name), { recursive: true, force: true });
  }
}
