// What is mounted where, from /proc/self/mountinfo (proc(5)), and the unmounting of a whole tree.
import { readFile, realpath } from 'node:fs/promises';
import { PodwrightError } from '../../base/errors.ts';
import { errnoOf } from '../../base/files.ts';
import { unmount } from './libc.ts';

/** Mount points at or below the directories, in the order they were mounted; directories may be absent. */
export async function mountsBelow(...directories: readonly string[]): Promise<readonly string[]> {
  const tops = (await Promise.all(directories.map(realPathIfExists))).filter((top) => top !== undefined);
  if (tops.length === 0) return [];
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  return lines.map(mountPointOf).filter((point) => tops.some((top) => isWithin(point, top)));
}

/** The fifth field; blanks, tabs, newlines and backslashes are written as three octal digits. */
function mountPointOf(line: string): string {
  const field = line.split(' ')[4] ?? '';
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

export type MountHolding = { readonly point: string; readonly isShared: boolean; readonly isSlave: boolean };

/** The mount that an existing path lies on, and where its mounts travel (mount_namespaces(7)). */
export async function mountHolding(path: string): Promise<MountHolding> {
  const real = await realpath(path);
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).trim().split('\n');
  const above = lines.filter((line) => isWithin(real, mountPointOf(line)));
  // Of those at one point the newest lies on top.
  const line = above.reduce((a, b) => (mountPointOf(b).length >= mountPointOf(a).length ? b : a));
  const fields = line.split(' ');
  const optional = fields.slice(6, fields.indexOf('-'));
  const has = (word: string): boolean => optional.some((field) => field.startsWith(`${word}:`));
  return { point: mountPointOf(line), isShared: has('shared'), isSlave: has('master') };
}

const isWithin = (path: string, point: string): boolean =>
  point === '/' || path === point || path.startsWith(`${point}/`);

async function realPathIfExists(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** More rounds than mounts can lie upon one another by accident. */
const ROUNDS_MAX = 10;

/** Unmounts everything at or below the directories, newest first. Throws SystemCall when something stays mounted. */
export async function unmountBelow(...directories: readonly string[]): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const points = await mountsBelow(...directories);
    if (points.length === 0) return;
    for (const point of points.toReversed()) unmount(point);
  }
  throw new PodwrightError(
    'SystemCall',
    `unmount ${directories.join(', ')}: something is still mounted there`,
  );
}
