// What is mounted where, from /proc/self/mountinfo (proc(5)), and the unmounting of a whole tree.
import { readFile, realpath } from 'node:fs/promises';
import { PodwrightError } from '../../base/errors.ts';
import { errnoOf } from '../../base/files.ts';
import { unmount } from './libc.ts';

/** Mount points at or below the directory, in the order they were mounted. None when it does not exist. */
export async function mountsBelow(directory: string): Promise<readonly string[]> {
  const top = await realPathIfExists(directory);
  if (top === undefined) return [];
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  return lines.map(mountPointOf).filter((point) => point === top || point.startsWith(`${top}/`));
}

/** The fifth field; blanks, tabs, newlines and backslashes are written as three octal digits. */
function mountPointOf(line: string): string {
  const field = line.split(' ')[4] ?? '';
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

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

/** Unmounts everything at or below the directory, newest first. Throws SystemCall when something stays mounted. */
export async function unmountBelow(directory: string): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const points = await mountsBelow(directory);
    if (points.length === 0) return;
    for (const point of points.toReversed()) unmount(point);
  }
  throw new PodwrightError('SystemCall', `unmount ${directory}: something is still mounted there`);
}
