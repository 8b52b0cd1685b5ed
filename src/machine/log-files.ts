// The files of one container's log: the one its monitor writes, and older ones beside it, named by when they were put
// aside and compressed but for the youngest, as the kubelet has them:
//
//   0.log   0.log.20261125-101530   0.log.20261125-101450.gz
//
// Invariant: under the log's own name there always is a file. It is put aside by a second name (a hard link); the monitor
// itself then replaces the first. A crash in between loses nothing, and asking again does no harm.
import { createReadStream, createWriteStream } from 'node:fs';
import { link, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { errnoOf } from '../base/files.ts';

const GZIP = '.gz';
const STAMP = /^\d{8}-\d{6}$/;

export type RotatedLog = {
  /** What sorts them by age. */
  readonly stamp: string;
  readonly path: string;
  readonly isCompressed: boolean;
  readonly inode: number;
};

/** Every name that begins with the log's: also what an interrupted compression left. */
async function namesBeside(path: string): Promise<readonly string[]> {
  try {
    const prefix = `${basename(path)}.`;
    return (await readdir(dirname(path))).filter((name) => name.startsWith(prefix)).sort();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Oldest first. */
export async function rotatedLogs(path: string): Promise<readonly RotatedLog[]> {
  const files = new Map<string, Omit<RotatedLog, 'inode'>>();
  for (const name of await namesBeside(path)) {
    const rest = name.slice(basename(path).length + 1);
    const isCompressed = rest.endsWith(GZIP);
    const stamp = isCompressed ? rest.slice(0, -GZIP.length) : rest;
    // Sorted: the compressed one comes last, and is whole once it has this name.
    if (STAMP.test(stamp)) files.set(stamp, { stamp, path: join(dirname(path), name), isCompressed });
  }
  const found = await Promise.all(
    [...files.values()].map(async (file): Promise<RotatedLog[]> => {
      const inode = (await stat(file.path).catch(() => undefined))?.ino;
      return inode === undefined ? [] : [{ ...file, inode }];
    }),
  );
  return found.flat();
}

/** With all that was put aside. */
export async function removeLog(path: string): Promise<void> {
  for (const name of await namesBeside(path)) await rm(join(dirname(path), name), { force: true });
  await rm(path, { force: true });
}

async function compress(path: string): Promise<void> {
  const temporary = `${path}.tmp`;
  await pipeline(createReadStream(path), createGzip(), createWriteStream(temporary, { mode: 0o600 }));
  await rename(temporary, path + GZIP);
  await rm(path, { force: true });
}

/** "20261125-101530", in UTC. */
function stampOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '-');
}

export type Rotation = {
  readonly path: string;
  /** Of one container, the one in use among them. */
  readonly filesMax: number;
  readonly nowMs: number;
  /** Lets the monitor begin a new file; false when there is no monitor any more. */
  readonly reopen: () => boolean;
};

/** Puts the log aside, compresses those put aside before and removes the oldest beyond the bound. */
export async function rotateLog({ path, filesMax, nowMs, reopen }: Rotation): Promise<void> {
  const inode = (await stat(path)).ino;
  const rotated = await rotatedLogs(path);
  // Put aside already, and the monitor has not begun a new one yet.
  if (rotated.at(-1)?.inode === inode) return void reopen();
  const excess = Math.max(0, rotated.length - Math.max(0, filesMax - 2));
  for (const file of rotated.slice(0, excess)) await rm(file.path, { force: true });
  for (const file of rotated.slice(excess)) if (!file.isCompressed) await compress(file.path);
  const aside = `${path}.${stampOf(nowMs)}`;
  // Twice in one second: the next round comes soon enough.
  if (rotated.some((file) => file.path.startsWith(aside))) return;
  await link(path, aside);
  if (!reopen()) await rm(aside, { force: true });
}
