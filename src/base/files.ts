// Small file habits: read what may be absent, write so that a reader sees the old or the new whole.
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { open, readFile, rename, rm } from 'node:fs/promises';

/** "ENOENT" and the like, of Node's errors and of SystemCall errors. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof Error && 'errno' in error && typeof error.errno === 'string') return error.errno;
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

export async function readIfExists(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The kernel looks for a deadly signal between pages: one write(2) up to this is whole, or was never begun. */
const WHOLE_WRITE_BYTES = 4096;

/**
 * Puts a small text into a file, new or not, at once. Whoever kills this process leaves the old text or the new one, or an
 * empty file where there was none. Spaces at the end are left of a longer one. In place, because a file system may flush
 * what is renamed over another file (ext4: thirty times the time of the write). Not for what must be on the disk before
 * going on.
 */
export function putFile(path: string, content: string): void {
  const bytes = Buffer.from(content);
  const file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  let before = 0;
  try {
    before = fstatSync(file).size;
    if (Math.max(before, bytes.length) <= WHOLE_WRITE_BYTES) {
      const rest = Buffer.alloc(Math.max(0, before - bytes.length), ' ');
      writeSync(file, Buffer.concat([bytes, rest]), 0, undefined, 0);
      return;
    }
  } catch (error) {
    if (before === 0) rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
  replaceFile(path, content);
}

/** Replaces a file in one step, at once. Not for what must be on the disk before going on. */
function replaceFile(path: string, content: string): void {
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    writeFileSync(temporary, content, { flag: 'wx', mode: 0o600 });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

export type WriteOptions = { readonly mode?: number; readonly durable?: boolean };

/** Replaces the file in one step (write beside, rename over). `durable` also waits for the disk. */
export async function writeFileAtomic(
  path: string,
  content: string | Uint8Array,
  options: WriteOptions = {},
): Promise<void> {
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  const file = await open(temporary, 'wx', options.mode ?? 0o600);
  try {
    await file.writeFile(content);
    if (options.durable === true) await file.sync();
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}
