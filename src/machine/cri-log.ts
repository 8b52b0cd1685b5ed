// Reads container logs in the CRI format that conmon writes: "<RFC 3339 time> <stdout|stderr> <F|P> <text>". P is a piece
// of a longer line. https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md
//
// Memory is bounded by one piece of a file and one line; following waits for the kernel's word (inotify), never polls.
import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { Readable } from 'node:stream';
import { errnoOf } from '../base/files.ts';
import { type Lines, LogReader } from './log-reader.ts';
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

/** Raw lines of the log; when following, until the container has ended. */
async function* rawLines(
  log: CriLog,
  options: LogReadOptions,
  bell: Bell,
  signal: AbortSignal,
): AsyncGenerator<Lines> {
  const files = new LogReader(log.path);
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
