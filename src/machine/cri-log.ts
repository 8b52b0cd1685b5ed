// Reads container logs in the CRI format that conmon writes: "<RFC 3339 time> <stdout|stderr> <F|P> <text>". P is a piece
// of a longer line. https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md
//
// Memory is bounded by one piece of a file and one line; following waits for the kernel's word (inotify), never polls.
import { createReadStream, type FSWatcher, watch } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { errnoOf } from '../base/files.ts';
import { type RotatedLog, rotatedLogs } from './log-files.ts';
import type { LogReadOptions } from './machine.ts';

export type CriLine = {
  readonly time: string;
  readonly stream: 'stdout' | 'stderr';
  readonly partial: boolean;
  readonly text: string;
};

const CRI_LINE = /^(\S+) (stdout|stderr) ([FP])\S* ?(.*)$/s;

/** undefined for what is not a line of that format: a half-written one, say. */
export function parseCriLine(line: string): CriLine | undefined {
  const [, time, stream, tag, text] = CRI_LINE.exec(line) ?? [];
  if (time === undefined || text === undefined) return undefined;
  return { time, stream: stream as CriLine['stream'], partial: tag === 'P', text };
}

export type CriLog = {
  readonly path: string;
  /** Whether its container has ended, so that nothing more will be written. */
  ended(): boolean;
  /** Calls back when `ended` may have changed. Returns the undo. */
  onChange(callback: () => void): () => void;
};

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

/** Level-triggered: what happened since the last wait makes the next one return at once. */
class Bell {
  #rung = false;
  #wake: (() => void) | undefined;

  ring = (): void => {
    this.#rung = true;
    this.#wake?.();
  };

  async wait(): Promise<void> {
    if (!this.#rung) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#rung = false;
    this.#wake = undefined;
  }
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
type Lines = readonly string[];

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
class LogFiles {
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

/** Raw lines of the log; when following, until the container has ended. */
async function* rawLines(
  log: CriLog,
  options: LogReadOptions,
  bell: Bell,
  signal: AbortSignal,
): AsyncGenerator<Lines> {
  const files = new LogFiles(log.path);
  try {
    await files.open(options.tailLines);
    while (!signal.aborted) {
      // Asked before reading: what the container wrote until it ended is then read below.
      const hasEnded = log.ended();
      yield* files.lines();
      if (!options.follow || hasEnded) return;
      await bell.wait();
    }
  } finally {
    await files.close();
  }
}

async function* shown(all: AsyncGenerator<Lines>, options: LogReadOptions): AsyncGenerator<Buffer> {
  const { sinceMs, timestamps, limitBytes = Number.POSITIVE_INFINITY } = options;
  let left = limitBytes;
  let atLineStart = true;
  for await (const lines of all) {
    let text = '';
    for (const raw of lines) {
      const line = parseCriLine(raw);
      if (line === undefined || (sinceMs !== undefined && Date.parse(line.time) < sinceMs)) continue;
      // conmon writes +00:00 where the kubelet, and whoever parses its answer, has Z.
      const stamp = timestamps && atLineStart ? `${line.time.replace(/\+00:00$/, 'Z')} ` : '';
      atLineStart = !line.partial;
      text += `${stamp}${line.text}${line.partial ? '' : '\n'}`;
    }
    const piece = Buffer.from(text).subarray(0, left);
    left -= piece.length;
    if (piece.length > 0) yield piece;
    if (left <= 0) return;
  }
}

/** The directory, not the file: a rotation is news of the directory. Absent until the container is created. */
function watchDirectory(path: string, bell: Bell): FSWatcher | undefined {
  try {
    const watcher = watch(dirname(path), { persistent: false }, (_, name) => {
      if (name === null || name === basename(path)) bell.ring();
    });
    return watcher.on('error', bell.ring);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function* read(log: CriLog, options: LogReadOptions, signal: AbortSignal): AsyncGenerator<Buffer> {
  const bell = new Bell();
  const stops: (() => void)[] = [];
  if (options.follow) {
    const watcher = watchDirectory(log.path, bell);
    signal.addEventListener('abort', bell.ring, { once: true });
    stops.push(
      () => watcher?.close(),
      log.onChange(bell.ring),
      () => signal.removeEventListener('abort', bell.ring),
    );
  }
  try {
    yield* shown(rawLines(log, options, bell, signal), options);
  } finally {
    for (const stop of stops) stop();
  }
}

/** Ends at the present end of the log, or when the container has ended if following, or when aborted. */
export function readCriLog(log: CriLog, options: LogReadOptions, signal: AbortSignal): Readable {
  return Readable.from(read(log, options, signal), { objectMode: false });
}
