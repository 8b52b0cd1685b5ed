// A value as it lies on the disk: a checksum of key and value, then the value as JSON. So a value that the disk changed, or that
// came under another key, is told from one that was written. A sum of all sums, kept beside the revision, tells of keys that
// the disk lost. The checksum is against accidents, not against somebody who writes the file.
import { crc32 } from 'node:zlib';
import { PodwrightError } from '../base/errors.ts';

const SUM_BYTES = 4;

export type Sealed = { readonly bytes: Buffer; readonly sum: number };

export function seal(key: string, value: unknown): Sealed {
  const json = Buffer.from(JSON.stringify(value));
  const sum = crc32(json, crc32(key));
  const head = Buffer.alloc(SUM_BYTES);
  head.writeUInt32LE(sum);
  return { bytes: Buffer.concat([head, json]), sum };
}

/** @throws StoreCorrupt with the key. */
export function unseal<T>(key: string, bytes: Buffer): { readonly value: T; readonly sum: number } {
  const json = bytes.subarray(SUM_BYTES);
  const sum = crc32(json, crc32(key));
  if (bytes.length < SUM_BYTES || bytes.readUInt32LE(0) !== sum) throw damaged(`the value of ${key}`);
  return { value: JSON.parse(json.toString()) as T, sum };
}

export function damaged(what: string): PodwrightError {
  return new PodwrightError('StoreCorrupt', `${what} is not what was written`);
}

/** The sum of all sums, one of them changed; undefined: no such key. */
export function totalWith(total: number, before: number | undefined, after: number | undefined): number {
  return (total ^ (before ?? 0) ^ (after ?? 0)) >>> 0;
}
