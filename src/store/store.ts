// The memory of the cluster: JSON values under string keys, with etcd's model. One counter of revisions, every write
// adds one; a write decides on the newest value of its key; a watch misses nothing between a revision and now.
// It knows nothing of Kubernetes objects, and it is no cache: what a caller has seen written is on disk.
//
// All values are also held in memory (they are the working set of one machine), so that reads are synchronous and cost
// nothing. Invariant: readers and watchers see a change only after it is on disk, in the order of revisions.
import { statfsSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import { BOUNDS } from '../base/bounds.ts';
import { type Revision, revision } from '../base/brand.ts';
import { PodwrightError } from '../base/errors.ts';
import { type Change, History } from './history.ts';
import { damaged, seal, totalWith, unseal } from './sealed.ts';
import { SortedKeys } from './sorted-keys.ts';
import { Watcher } from './watcher.ts';

/** What a write does, decided on the key's newest value. */
export type Decision<T> =
  | { readonly verb: 'put'; readonly value: T }
  /** `value` is what watchers are told: the object as it last was. */
  | { readonly verb: 'remove'; readonly value: T }
  | { readonly verb: 'keep' };

/**
 * Called once with the newest value and the revision the write will have. It must be pure and quick; what it throws
 * rejects this write alone. A compare-and-swap is a decide that throws Conflict.
 */
export type Decide<T> = (current: T | undefined, next: Revision) => Decision<T>;

export type ListQuery<T> = {
  readonly prefix: string;
  /** Continue after this key. */
  readonly after?: string | undefined;
  /** Counts what `where` lets through. */
  readonly limit?: number | undefined;
  readonly where?: ((value: T) => boolean) | undefined;
  /** The state as it was at this revision; absent: now. Older than the history: Expired. */
  readonly at?: Revision | undefined;
};

export type Page<T> = {
  readonly values: readonly T[];
  readonly revision: Revision;
  /** There is more: continue after this key. */
  readonly next?: string | undefined;
  /** How many more. */
  readonly remaining: number;
};

/** Told of each value of the prefix, and undefined for one that is gone. Must be quick and never throw. */
export type Derive<T> = (key: string, value: T | undefined) => void;

export type Write<T> = { readonly key: string; readonly decide: Decide<T> };

type PendingWrite<T> = {
  readonly writes: readonly Write<T>[];
  readonly resolve: (values: readonly (T | undefined)[]) => void;
  readonly reject: (error: unknown) => void;
};

const STATE_KEY = 'state';

/** What is on disk beside the objects, with every commit. */
type State = {
  readonly revision: number;
  /** Of all objects' checksums: none of them is lost. */
  readonly total: number;
};

/** What a commit has decided so far. */
type Draft<T> = {
  readonly newest: Map<string, T | undefined>;
  readonly changes: Change<T>[];
  readonly roomBytes: number;
};

export class Store<T extends object> {
  readonly #root: RootDatabase;
  readonly #path: string;
  readonly #objects: Database<Buffer, string>;
  readonly #meta: Database<Buffer, string>;
  readonly #values = new Map<string, T>();
  readonly #sums = new Map<string, number>();
  readonly #keys = new SortedKeys();
  readonly #history: History<T>;
  readonly #watchers = new Set<Watcher<T>>();
  readonly #derivations: { readonly prefix: string; readonly derive: Derive<T> }[] = [];
  #revision: Revision;
  #total = 0;
  #pending: PendingWrite<T>[] = [];
  #writer: Promise<void> | undefined;
  #closed = false;

  /** Use openStore. */
  constructor(root: RootDatabase, path: string, historyLength: number) {
    this.#root = root;
    this.#path = path;
    this.#objects = root.openDB<Buffer, string>({ name: 'objects', encoding: 'binary' });
    this.#meta = root.openDB<Buffer, string>({ name: 'meta', encoding: 'binary' });
    this.#revision = revision(this.#read().revision);
    this.#history = new History(this.#revision, historyLength);
  }

  /** Everything on disk, verified. @throws StoreCorrupt */
  #read(): State {
    for (const { key, value: bytes } of this.#objects.getRange()) {
      const { value, sum } = unseal<T>(key, bytes);
      this.#values.set(key, value);
      this.#sums.set(key, sum);
      this.#keys.add(key);
      this.#total = totalWith(this.#total, undefined, sum);
    }
    const bytes = this.#meta.get(STATE_KEY);
    if (bytes === undefined && this.#values.size > 0) throw damaged('the list of objects');
    const state = bytes === undefined ? { revision: 1, total: 0 } : unseal<State>(STATE_KEY, bytes).value;
    if (state.total !== this.#total) throw damaged('the list of objects');
    return state;
  }

  /** The revision of the newest change. */
  get revision(): Revision {
    return this.#revision;
  }

  get(key: string): T | undefined {
    return this.#values.get(key);
  }

  /** @throws Expired when `at` is older than the history. */
  list(query: ListQuery<T>): Page<T> {
    const values = query.at === undefined ? undefined : this.#valuesAt(query.prefix, query.at);
    const keys =
      values === undefined ? this.#keys.withPrefix(query.prefix) : [...values.keys()].sort(byCodeUnit);
    const source = values ?? this.#values;
    const { after, where = () => true } = query;
    const rest = keys.filter((key) => (after === undefined || key > after) && where(source.get(key) as T));
    const page = rest.slice(0, query.limit ?? rest.length);
    return {
      values: page.map((key) => source.get(key) as T),
      revision: query.at ?? this.#revision,
      next: page.length < rest.length ? page.at(-1) : undefined,
      remaining: rest.length - page.length,
    };
  }

  /** The prefix's values at an older revision: the newest state with the changes since undone, newest first. */
  #valuesAt(prefix: string, at: Revision): Map<string, T> {
    this.#checkInHistory(prefix, at);
    const values = new Map(this.#keys.withPrefix(prefix).map((key) => [key, this.#values.get(key) as T]));
    for (const change of this.#history.after(at).toReversed()) {
      if (!change.key.startsWith(prefix)) continue;
      if (change.previous === undefined) values.delete(change.key);
      else values.set(change.key, change.previous);
    }
    return values;
  }

  #checkInHistory(what: string, at: Revision): void {
    if (at >= this.#history.start && at <= this.#revision) return;
    const why = `too old resource version: ${at} (${this.#history.start})`;
    throw new PodwrightError(
      'Expired',
      at > this.#revision ? `${what}: resource version ${at} is not known` : why,
    );
  }

  /** Resolves once the change is on disk, with the value put or removed; with the current value after a `keep`. */
  async write(key: string, decide: Decide<T>): Promise<T | undefined> {
    const [value] = await this.writeTogether([{ key, decide }]);
    return value;
  }

  /** All or none: each decides on what those before it decided, and one that throws takes the others back. */
  writeTogether(writes: readonly Write<T>[]): Promise<readonly (T | undefined)[]> {
    const keys = writes.map(({ key }) => key).join(', ');
    if (this.#closed)
      return Promise.reject(new PodwrightError('ServiceUnavailable', `write ${keys}: the store is closed`));
    return new Promise((resolve, reject) => {
      this.#pending.push({ writes, resolve, reject });
      this.#writer ??= this.#writeAll();
    });
  }

  /** Group commit: what arrives while one commit is on its way to the disk goes into the next. */
  async #writeAll(): Promise<void> {
    await Promise.resolve();
    while (this.#pending.length > 0) {
      const batch = this.#pending.splice(0, BOUNDS.storeBatchWrites);
      await this.#commit(batch);
    }
    this.#writer = undefined;
  }

  async #commit(batch: readonly PendingWrite<T>[]): Promise<void> {
    const draft: Draft<T> = { newest: new Map(), changes: [], roomBytes: this.#roomBytes() };
    const { newest, changes } = draft;
    const answers: (() => void)[] = [];
    for (const { writes, resolve, reject } of batch) {
      const decidedBefore = changes.length;
      try {
        const values = writes.map((write) => this.#decide(write, draft));
        answers.push(() => resolve(values));
      } catch (error) {
        for (const { key, previous } of changes.splice(decidedBefore).reverse())
          this.#note(key, previous, draft);
        answers.push(() => reject(error));
      }
    }
    // A commit that fails leaves lmdb's own memory in doubt (it may crash at the next write). So it ends the process: what
    // the disk holds is whole, and the next engine reads that.
    if (changes.length > 0) await this.#persist(newest, revision(this.#revision + changes.length));
    for (const change of changes) this.#publish(change);
    for (const answer of answers) answer();
  }

  /**
   * Keeps what decisions need beside their own key: told of all there is at once, and of each change as soon as it is
   * decided, before the next decision and before the disk. What was told so and never gets there ends the process.
   */
  derive(prefix: string, derive: Derive<T>): void {
    for (const key of this.#keys.withPrefix(prefix)) derive(key, this.#values.get(key));
    this.#derivations.push({ prefix, derive });
  }

  #decide({ key, decide }: Write<T>, draft: Draft<T>): T | undefined {
    const { newest, changes, roomBytes } = draft;
    const previous = newest.has(key) ? newest.get(key) : this.#values.get(key);
    const next = revision(this.#revision + changes.length + 1);
    const decision = decide(previous, next);
    if (decision.verb === 'keep') return previous;
    this.#checkRoom(key, roomBytes, previous === undefined ? 'create' : 'change');
    changes.push({ type: decision.verb, key, revision: next, value: decision.value, previous });
    this.#note(key, decision.verb === 'put' ? decision.value : undefined, draft);
    return decision.value;
  }

  #note(key: string, value: T | undefined, { newest }: Draft<T>): void {
    newest.set(key, value);
    for (const { prefix, derive } of this.#derivations) if (key.startsWith(prefix)) derive(key, value);
  }

  /** Why nothing can be written or watched any more; undefined while it can. */
  whyNotOpen(): string | undefined {
    return this.#closed ? 'the store is closed' : undefined;
  }

  /** Why nothing new is taken now; undefined while it is. */
  whyNoRoom(): string | undefined {
    const roomBytes = this.#roomBytes();
    return roomBytes < BOUNDS.storeRoomBytes.create
      ? `the disk is full: ${roomBytes} bytes are left`
      : undefined;
  }

  /** How many keys begin so. */
  count(prefix: string): number {
    return this.#keys.countWithPrefix(prefix);
  }

  #roomBytes(): number {
    const { bavail, bsize } = statfsSync(this.#path);
    return bavail * bsize;
  }

  /** lmdb must never meet a full disk: what is new is refused while there still is room to change and to delete. */
  #checkRoom(key: string, roomBytes: number, kind: keyof typeof BOUNDS.storeRoomBytes): void {
    const wanted = BOUNDS.storeRoomBytes[kind];
    if (roomBytes >= wanted) return;
    const why = `the disk is full: ${roomBytes} bytes are left at ${this.#path}, ${wanted} are wanted`;
    throw new PodwrightError('ServiceUnavailable', `write ${key}: ${why}`);
  }

  /** One lmdb transaction: all of it or nothing is on disk. */
  async #persist(newest: ReadonlyMap<string, T | undefined>, last: Revision): Promise<void> {
    const sealed = [...newest].map(
      ([key, value]) => [key, value === undefined ? undefined : seal(key, value)] as const,
    );
    for (const [key, after] of sealed) {
      this.#total = totalWith(this.#total, this.#sums.get(key), after?.sum);
      if (after === undefined) this.#sums.delete(key);
      else this.#sums.set(key, after.sum);
    }
    const state: State = { revision: last, total: this.#total };
    await this.#root.batch(() => {
      for (const [key, after] of sealed) {
        if (after === undefined) void this.#objects.remove(key);
        else void this.#objects.put(key, after.bytes);
      }
      void this.#meta.put(STATE_KEY, seal(STATE_KEY, state).bytes);
    });
  }

  #publish(change: Change<T>): void {
    this.#revision = change.revision;
    if (change.type === 'remove') {
      this.#values.delete(change.key);
      this.#keys.remove(change.key);
    } else {
      if (!this.#values.has(change.key)) this.#keys.add(change.key);
      this.#values.set(change.key, change.value);
    }
    this.#history.push(change);
    for (const watcher of this.#watchers) watcher.offer(change);
  }

  /**
   * Every change of the prefix after the revision, in order, without a gap or a duplicate, until the signal.
   * @throws Expired at once when the revision is out of the history, later when the reader is too slow.
   */
  watch(prefix: string, after: Revision, signal: AbortSignal): AsyncIterable<Change<T>> {
    this.#checkInHistory(prefix, after);
    const onEnd = (ended: Watcher<T>): void => void this.#watchers.delete(ended);
    const watcher = new Watcher<T>({ prefix, replay: this.#history.after(after), signal, onEnd });
    if (!signal.aborted) this.#watchers.add(watcher);
    return watcher;
  }

  /** Finishes the writes it has accepted, ends the watches, closes the files. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#writer;
    const error = new PodwrightError('ServiceUnavailable', 'watch: the store is closing');
    for (const watcher of this.#watchers) watcher.end(error);
    await this.#root.close();
  }
}

/** A file that was cut off: to read behind its end would end the process. @throws StoreCorrupt */
function checkLength(root: RootDatabase, path: string): void {
  const { lastPageNumber, pageSize } = root.getStats() as { lastPageNumber: number; pageSize: number };
  if (statSync(join(path, 'data.mdb')).size < (lastPageNumber + 1) * pageSize)
    throw damaged('the length of data.mdb');
}

/**
 * Opens or makes the store in a directory; one process at a time. It opens after any crash: lmdb never overwrites what
 * the last commit refers to.
 * @throws StoreCorrupt
 */
export async function openStore<T extends object>(options: {
  readonly path: string;
  readonly historyRevisions?: number;
}): Promise<Store<T>> {
  await mkdir(options.path, { recursive: true, mode: 0o700 });
  try {
    // Without overlapping synchronisation a write that has resolved is on disk.
    const root = open({ path: options.path, overlappingSync: false });
    checkLength(root, options.path);
    return new Store<T>(root, options.path, options.historyRevisions ?? BOUNDS.historyRevisions);
  } catch (cause) {
    const remedy = 'restore the directory from a copy, or remove it to begin without objects';
    throw new PodwrightError('StoreCorrupt', `open the store at ${options.path} (${remedy})`, { cause });
  }
}

const byCodeUnit = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
