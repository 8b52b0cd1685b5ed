// Takes one of several names away from an image: skopeo can only delete an image with all its names. So the store's
// index is rewritten here, under containers/storage's own lock and by its rules.
//
// Invariant: a skopeo that works on the store at the same moment neither loses nor resurrects a name. It takes the same
// lock, and reads the index again when the lock file's content has changed.
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../../base/files.ts';
import { lockFile } from '../system/file-lock.ts';
import type { StoredImage } from './store-index.ts';

/** The lock file holds this many bytes that name the last writer. */
const LAST_WRITER_BYTES = 64;

export async function removeName(storeRoot: string, imageId: string, name: string): Promise<void> {
  const directory = join(storeRoot, 'overlay-images');
  const lock = await open(join(directory, 'images.lock'), 'r+');
  try {
    await lockFile(lock.fd);
    const path = join(directory, 'images.json');
    const images = JSON.parse(await readFile(path, 'utf8')) as StoredImage[];
    const without = images.map((image) =>
      image.id === imageId ? { ...image, names: image.names?.filter((other) => other !== name) } : image,
    );
    await writeFileAtomic(path, JSON.stringify(without), { durable: true });
    await tellOthers(lock);
  } finally {
    // Closing gives the lock back.
    await lock.close();
  }
}

async function tellOthers(lock: FileHandle): Promise<void> {
  await lock.write(randomBytes(LAST_WRITER_BYTES / 2).toString('hex'), 0);
}
