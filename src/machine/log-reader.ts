// Reads the lines of one container's log through all its files (log-files.ts): forward from any line, over rotations, each
// line once. Memory is bounded by one piece of a file and one line.
import { createReadStream } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { createGunzip } from 'node:zlib';
import { errnoOf } from '../base/files.ts';
import { type RotatedLog, rotatedLogs } from './log-files.ts';

const CHUNK_BYTES = 64 * 1024;
const LINES_TOGETHER = 500;
const NEWLINE = 0x0a;

/** Where the last n lines begin, found from the end backwards. */
async function tailOffset(file: FileHandle, lines: number): Promise<number> {
  const { size } = await file.stat();
  if (lines <= 0) return size;
  let left = lines;
  const buffer = Buffer.alloc(CHUNK_BYTES);
  for (let end = size; end > 0; end -= Math.min(CHUNK_BYTES, end)) {
    const start = Math.max(0, end - CHUNK_BYTES);
    await file.read(buffer, 0, end - start, start);
    for (let index = end - start - 1; index >= 0; index--) {
      // The newline that ends the file is the last line's own.
      if (buffer[index] !== NEWLINE || start + index === size - 1) continue;
      left--;
      if (left === 0) return start + index + 1;
    }
  }
  return 0;
}

async function openIfExists(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The log was put aside when its name means another file now. */
async function isReplaced(file: FileHandle, path: string): Promise<boolean> {
  const [now, ours] = [await stat(path).catch(() => undefined), await file.stat()];
  return now !== undefined && now.ino !== ours.ino;
}

/** Some raw lines in their order. One at a time, they would cost ten times as much on their way through the generators. */
export type Lines = readonly string[];

/** Whole raw lines from an offset to the present end; what is cut off stays for the next call. */
class LineReader {
  readonly #file: FileHandle;
  #offset: number;
  #rest = Buffer.alloc(0);

  constructor(file: FileHandle, offset: number) {
    this.#file = file;
    this.#offset = offset;
  }

  async *lines(): AsyncGenerator<Lines> {
    for (;;) {
      const chunk = Buffer.alloc(CHUNK_BYTES);
      const { bytesRead } = await this.#file.read(chunk, 0, CHUNK_BYTES, this.#offset);
      if (bytesRead === 0) return;
      this.#offset += bytesRead;
      const data = Buffer.concat([this.#rest, chunk.subarray(0, bytesRead)]);
      const end = data.lastIndexOf(NEWLINE);
      this.#rest = data.subarray(end + 1);
      if (end >= 0) yield data.toString('utf8', 0, end).split('\n');
    }
  }
}

/** Lines of a file that is written no more. */
async function* linesOf(rotated: RotatedLog): AsyncGenerator<Lines> {
  const bytes = createReadStream(rotated.path);
  let lines: string[] = [];
  for await (const line of createInterface({
    input: rotated.isCompressed ? bytes.pipe(createGunzip()) : bytes,
  })) {
    if (lines.push(line) < LINES_TOGETHER) continue;
    yield lines;
    lines = [];
  }
  yield lines;
}

/**
 * Every file of a log in turn, each once: the one in use, those put aside before the reader came to them, the one then in
 * use. Only what was removed as too old before it was read is lost.
 */
export class LogReader {
  readonly #path: string;
  /** The youngest file put aside that is read already, or was before this reader came. */
  #readUntil: string | undefined;
  #file: FileHandle | undefined;
  #reader: LineReader | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** The log as it is now, from its last n lines on. */
  async open(tailLines: number | undefined): Promise<void> {
    const file = await openIfExists(this.#path);
    if (file === undefined) return;
    const rotated = await rotatedLogs(this.#path);
    const { ino } = await file.stat();
    const own = rotated.findIndex((one) => one.inode === ino);
    this.#readUntil = (own < 0 ? rotated : rotated.slice(0, own)).at(-1)?.stamp ?? '';
    this.#use(file, tailLines === undefined ? 0 : await tailOffset(file, tailLines));
  }

  /** Up to the present end of the log, over every rotation there was. */
  async *lines(): AsyncGenerator<Lines> {
    for (;;) {
      if (this.#file === undefined) await this.open(undefined);
      if (this.#file === undefined || this.#reader === undefined) return;
      // Asked before reading: its monitor has then written its last line into it.
      const isOver = await isReplaced(this.#file, this.#path);
      yield* this.#reader.lines();
      if (!isOver) return;
      this.#readUntil = (await this.#unread())[0]?.stamp ?? this.#readUntil;
      yield* this.#next();
    }
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  #use(file: FileHandle, offset: number): void {
    this.#file = file;
    this.#reader = new LineReader(file, offset);
  }

  async #unread(): Promise<readonly RotatedLog[]> {
    return (await rotatedLogs(this.#path)).filter(({ stamp }) => stamp > (this.#readUntil ?? ''));
  }

  /** To the file in use, through those that were put aside meanwhile. */
  async *#next(): AsyncGenerator<Lines> {
    await this.close();
    for (;;) {
      const file = await openIfExists(this.#path);
      if (file === undefined) return;
      const { ino } = await file.stat();
      const between = (await this.#unread()).filter(({ inode }) => inode !== ino);
      if (between.length === 0) return this.#use(file, 0);
      await file.close();
      for (const rotated of between) {
        yield* linesOf(rotated);
        this.#readUntil = rotated.stamp;
      }
    }
  }
}
