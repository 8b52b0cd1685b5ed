// A small ResourceApi in memory for tests of the engines: revisions, merge patches, watches with history, the graceful
// deletion of bound pods. No validation, no defaults; only the selectors the engines use.
import { isDeepStrictEqual } from 'node:util';
import { withPropagation } from '../../src/apiserver/propagation.ts';
import { timeText } from '../../src/base/clock.ts';
import { PodwrightError } from '../../src/base/errors.ts';
import type {
  DeleteOptions,
  KubeObject,
  ListOptions,
  ObjectKey,
  ObjectList,
  PatchType,
  ResourceApi,
  ResourceRef,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from '../../src/client/resource-api.ts';
import type { Pod } from '../../src/kube/api-types.ts';
import type { VirtualClock } from './virtual-clock.ts';

type Change = {
  readonly revision: number;
  readonly plural: string;
  readonly event: WatchEvent<KubeObject> & { object: KubeObject };
};
type JsonObject = { [key: string]: unknown };

export class MemoryApi implements ResourceApi {
  readonly #clock: VirtualClock;
  readonly #objects = new Map<string, KubeObject>();
  #changes: Change[] = [];
  readonly #listeners = new Set<() => void>();
  #revision = 0;
  #uids = 0;
  #compactedTo = 0;
  /** Writes by kind, for tests that expect silence. */
  readonly writes = new Map<string, number>();
  /** Called with every change: for laws that must hold over time. */
  onChange: (event: WatchEvent<KubeObject>) => void = () => {};

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  async get<T extends KubeObject>(ref: ResourceRef<T>, key: ObjectKey): Promise<T> {
    return this.find(ref, key);
  }

  /** The same, at once. */
  find<T extends KubeObject>(ref: ResourceRef<T>, key: ObjectKey): T {
    const found = this.#objects.get(pathOf(ref, key));
    if (found === undefined) throw new PodwrightError('NotFound', `${ref.plural} "${key.name}" not found`);
    return found as T;
  }

  all<T extends KubeObject>(ref: ResourceRef<T>, options: ListOptions = {}): readonly T[] {
    return [...this.#objects]
      .filter(([path, object]) => path.startsWith(`${ref.plural}/`) && isSelected(object, options))
      .map(([, object]) => object as T);
  }

  async list<T extends KubeObject>(ref: ResourceRef<T>, options: ListOptions = {}): Promise<ObjectList<T>> {
    this.#clock.activity += 1;
    return { items: this.all(ref, options), resourceVersion: String(this.#revision) };
  }

  async create<T extends KubeObject>(ref: ResourceRef<T>, object: T): Promise<T> {
    const { namespace, name = '' } = object.metadata ?? {};
    const path = pathOf(ref, { namespace, name });
    if (this.#objects.has(path))
      throw new PodwrightError('AlreadyExists', `${ref.plural} "${name}" already exists`);
    this.#uids += 1;
    const metadata = {
      uid: `uid-${this.#uids}`,
      ...object.metadata,
      generation: 1,
      creationTimestamp: timeText(this.#clock.nowMs()),
    };
    return this.#store(ref, path, { ...object, metadata } as T, 'ADDED');
  }

  async update<T extends KubeObject>(ref: ResourceRef<T>, object: T): Promise<T> {
    const key = { namespace: object.metadata?.namespace, name: object.metadata?.name ?? '' };
    this.find(ref, key);
    return this.#store(ref, pathOf(ref, key), object, 'MODIFIED');
  }

  async patch<T extends KubeObject>(
    ref: ResourceRef<T>,
    key: ObjectKey,
    { type, body }: { readonly type: PatchType; readonly body: unknown },
    options: WriteOptions = {},
  ): Promise<T> {
    if (type !== 'application/merge-patch+json') throw new PodwrightError('UnsupportedMediaType', type);
    const current = this.find(ref, key);
    const wantedUid = (body as KubeObject).metadata?.uid;
    if (wantedUid !== undefined && wantedUid !== current.metadata?.uid) {
      throw new PodwrightError('Conflict', `uid mismatch: ${wantedUid}`);
    }
    checkVersion(current, (body as KubeObject).metadata?.resourceVersion);
    const { status, ...rest } = body as JsonObject;
    const allowed = options.subresource === 'status' ? { status } : rest;
    const merged = merge(current as JsonObject, allowed) as T;
    if (isDeepStrictEqual(merged, current)) return current;
    const isSpecChanged = !isDeepStrictEqual((merged as JsonObject).spec, (current as JsonObject).spec);
    const generation = (current.metadata?.generation ?? 0) + (isSpecChanged ? 1 : 0);
    const next = { ...merged, metadata: { ...merged.metadata, generation } } as T;
    const { deletionTimestamp, finalizers, deletionGracePeriodSeconds } = next.metadata ?? {};
    const isHeld = (finalizers ?? []).length > 0 || (deletionGracePeriodSeconds ?? 0) > 0;
    const wasFinal = current.metadata?.finalizers !== undefined && deletionTimestamp !== undefined && !isHeld;
    return this.#store(ref, pathOf(ref, key), next, wasFinal ? 'DELETED' : 'MODIFIED');
  }

  async delete<T extends KubeObject>(
    ref: ResourceRef<T>,
    key: ObjectKey,
    options: DeleteOptions = {},
  ): Promise<T> {
    const found = this.find(ref, key);
    const uid = options.preconditions?.uid;
    if (uid !== undefined && uid !== found.metadata?.uid)
      throw new PodwrightError('Conflict', 'uid precondition');
    checkVersion(found, options.preconditions?.resourceVersion);
    const path = pathOf(ref, key);
    const current = withPropagation({ strategy: {} }, found, options) as T;
    const graceSeconds = gracefulSeconds(ref, current, options);
    const isHeld = (current.metadata?.finalizers ?? []).length > 0;
    if (isHeld && found.metadata?.deletionTimestamp !== undefined && found === current) return found;
    if (graceSeconds === 0 && !isHeld) return this.#store(ref, path, current, 'DELETED');
    const metadata = {
      ...current.metadata,
      deletionGracePeriodSeconds: graceSeconds,
      deletionTimestamp: timeText(this.#clock.nowMs() + graceSeconds * 1000),
    };
    return this.#store(ref, path, { ...current, metadata }, 'MODIFIED');
  }

  async *watch<T extends KubeObject>(
    ref: ResourceRef<T>,
    options: WatchOptions,
  ): AsyncIterable<WatchEvent<T>> {
    let from = Number(options.resourceVersion ?? this.#revision);
    if (from < this.#compactedTo) throw new PodwrightError('Expired', 'too old resource version');
    while (!options.signal.aborted) {
      const due = this.#changes.filter((change) => change.revision > from && change.plural === ref.plural);
      from = this.#revision;
      for (const { event } of due) {
        if (isSelected(event.object, options)) yield event as WatchEvent<T>;
      }
      if (due.length === 0) await this.#nextChange(options.signal);
      if (from < this.#compactedTo) throw new PodwrightError('Expired', 'too old resource version');
    }
  }

  /** Forgets history, as compaction does: watches that lag get Expired. */
  compact(): void {
    this.#changes = [];
    this.#compactedTo = this.#revision + 1;
    this.#revision += 1;
    for (const listener of [...this.#listeners]) listener();
  }

  #nextChange(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#listeners.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#listeners.add(done);
      signal.addEventListener('abort', done);
    });
  }

  #store<T extends KubeObject>(
    ref: ResourceRef<T>,
    path: string,
    object: T,
    type: 'ADDED' | 'MODIFIED' | 'DELETED',
  ): T {
    this.#clock.activity += 1;
    this.#revision += 1;
    this.writes.set(ref.plural, (this.writes.get(ref.plural) ?? 0) + 1);
    const stored = {
      ...object,
      metadata: { ...object.metadata, resourceVersion: String(this.#revision) },
    };
    if (type === 'DELETED') this.#objects.delete(path);
    else this.#objects.set(path, stored);
    const event = { type, object: stored };
    this.#changes.push({ revision: this.#revision, plural: ref.plural, event });
    this.onChange(event);
    for (const listener of [...this.#listeners]) listener();
    return stored;
  }
}

function checkVersion({ metadata }: KubeObject, wanted: string | undefined): void {
  if (wanted === undefined || wanted === metadata?.resourceVersion) return;
  throw new PodwrightError('Conflict', `resourceVersion ${wanted} is not the newest`);
}

const pathOf = (ref: ResourceRef, key: ObjectKey): string =>
  `${ref.plural}/${key.namespace ?? ''}/${key.name}`;

/** kube-apiserver: a bound pod gets a grace; one that terminates already only a shorter one. */
function gracefulSeconds(ref: ResourceRef, object: KubeObject, options: DeleteOptions): number {
  if (ref.plural !== 'pods') return 0;
  const pod = object as Pod;
  if (pod.spec?.nodeName === undefined) return 0;
  const wanted = options.gracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30;
  return Math.min(wanted, pod.metadata?.deletionGracePeriodSeconds ?? wanted);
}

function isSelected(object: KubeObject, { namespace, fieldSelector }: ListOptions): boolean {
  if (namespace !== undefined && object.metadata?.namespace !== namespace) return false;
  if (fieldSelector === undefined) return true;
  const [field, value] = fieldSelector.split('=');
  if (field === 'metadata.name') return object.metadata?.name === value;
  if (field === 'spec.nodeName') return (object as Pod).spec?.nodeName === value;
  throw new PodwrightError('BadRequest', `field selector ${fieldSelector}`);
}

/** RFC 7396. */
function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const base =
    typeof target === 'object' && target !== null && !Array.isArray(target) ? (target as JsonObject) : {};
  const result: JsonObject = { ...base };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else if (value !== undefined) result[key] = merge(base[key], value);
  }
  return result;
}
