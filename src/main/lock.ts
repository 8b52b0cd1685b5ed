// One engine per data directory: an advisory lock on a file, given back by the kernel however the engine ends.
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { PodwrightError } from '../base/errors.ts';
import { tryLock } from '../machine/system/libc.ts';

/** Throws Conflict when another engine holds it. The result gives the lock back. */
export function lockDataDir(dataDir: string): () => void {
  const path = join(dataDir, 'engine.lock');
  const fd = openSync(path, 'w', 0o600);
  if (!tryLock(fd)) {
    closeSync(fd);
    throw new PodwrightError('Conflict', `start the engine: another one already runs on ${dataDir}`);
  }
  return () => closeSync(fd);
}
