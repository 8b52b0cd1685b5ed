// The last changes, newest last: what a watch replays and what an older page of a list is rebuilt from. In memory only:
// after a restart it starts at the revision on disk, and whoever resumes from before gets Expired and lists again.
// Invariant: it holds every change after `start`, without a gap.
import type { Revision } from '../base/brand.ts';

/** One change of one key. `value` of a removal is the object as it last was. */
export type Change<T> = {
  readonly type: 'put' | 'remove';
  readonly key: string;
  readonly revision: Revision;
  readonly value: T;
  readonly previous: T | undefined;
};

export class History<T> {
  readonly #length: number;
  #changes: Change<T>[] = [];
  #start: Revision;

  constructor(start: Revision, length: number) {
    this.#start = start;
    this.#length = length;
  }

  /** A reader at this revision or later misses nothing. */
  get start(): Revision {
    return this.#start;
  }

  push(change: Change<T>): void {
    this.#changes.push(change);
    // Cut in large steps: cutting one by one would move the array at every write.
    if (this.#changes.length < this.#length + 1024) return;
    const dropped = this.#changes.splice(0, this.#changes.length - this.#length);
    this.#start = dropped.at(-1)?.revision ?? this.#start;
  }

  /** Every change after the revision, oldest first. One write is one revision, so the position is known. */
  after(revision: Revision): readonly Change<T>[] {
    return this.#changes.slice(Math.max(0, revision - this.#start));
  }
}
