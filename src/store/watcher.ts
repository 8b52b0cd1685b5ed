// One watch on the store: a queue between the writer, who never waits, and one reader. A reader that lags more than
// BOUNDS.watchBacklog changes behind is cut off with Expired; it lists again, as after any 410.
import { BOUNDS } from '../base/bounds.ts';
import { PodwrightError } from '../base/errors.ts';
import type { Change } from './history.ts';

export class Watcher<T> implements AsyncIterable<Change<T>> {
  readonly prefix: string;
  readonly #signal: AbortSignal;
  readonly #onEnd: (watcher: Watcher<T>) => void;
  #queue: Change<T>[];
  #error: PodwrightError | undefined;
  #wake: (() => void) | undefined;

  constructor(options: {
    readonly prefix: string;
    /** Read first: what happened between the reader's list and this watch. */
    readonly replay: readonly Change<T>[];
    readonly signal: AbortSignal;
    readonly onEnd: (watcher: Watcher<T>) => void;
  }) {
    this.prefix = options.prefix;
    this.#signal = options.signal;
    this.#onEnd = options.onEnd;
    this.#queue = options.replay.filter((change) => change.key.startsWith(options.prefix));
    // Ends at once even when nobody reads: an abandoned watch must not stay registered.
    if (this.#signal.aborted) this.#onEnd(this);
    else this.#signal.addEventListener('abort', this.#abort, { once: true });
  }

  /** Called by the store for every committed change, in order. */
  offer(change: Change<T>): void {
    if (this.#error !== undefined || !change.key.startsWith(this.prefix)) return;
    if (this.#queue.length >= BOUNDS.watchBacklog) {
      this.end(new PodwrightError('Expired', `watch ${this.prefix}: the reader is too slow`));
      return;
    }
    this.#queue.push(change);
    this.#wake?.();
  }

  /** The reader gets the error instead of what is still queued. */
  end(error: PodwrightError): void {
    this.#error = error;
    this.#queue = [];
    this.#close();
  }

  readonly #abort = (): void => this.#close();

  #close(): void {
    this.#signal.removeEventListener('abort', this.#abort);
    this.#onEnd(this);
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Change<T>, void, void> {
    try {
      while (!this.#signal.aborted) {
        if (this.#error !== undefined) throw this.#error;
        const batch = this.#queue;
        this.#queue = [];
        for (const change of batch) {
          yield change;
          if (this.#signal.aborted) return;
        }
        if (this.#queue.length === 0 && this.#error === undefined && !this.#signal.aborted) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
          this.#wake = undefined;
        }
      }
    } finally {
      this.#close();
    }
  }
}
