// List, then watch, for ever: the one way every engine follows a kind (client-go calls it a reflector). It survives
// Expired (lists again), an API that is away (bounded back-off) and tells its owner about each object exactly what
// changed last; an object that vanished while nobody watched is reported as deleted after the next list.
import { setTimeout as sleep } from 'node:timers/promises';
import { BOUNDS } from '../base/bounds.ts';
import { errorText, isPodwrightError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { KubeObject, ListOptions, ResourceApi, ResourceRef } from './resource-api.ts';

export type InformerHandlers<T> = {
  /** Added or changed. */
  onObject(object: T): void;
  /** The object as it was last seen. */
  onDelete(object: T): void;
  /** The first list has been reported whole. */
  onSynced?(): void;
};

export type InformerOptions<T extends KubeObject> = {
  readonly api: ResourceApi;
  readonly ref: ResourceRef<T>;
  readonly select?: Pick<ListOptions, 'namespace' | 'labelSelector' | 'fieldSelector'>;
  readonly handlers: InformerHandlers<T>;
  readonly log: Log;
};

const keyOf = (object: KubeObject): string =>
  `${object.metadata?.namespace ?? ''}/${object.metadata?.name ?? ''}`;

/** Resolves when the signal aborts; never rejects. */
export async function runInformer<T extends KubeObject>(
  options: InformerOptions<T>,
  signal: AbortSignal,
): Promise<void> {
  const known = new Map<string, T>();
  let synced = false;
  let failuresInRow = 0;

  const listAll = async (): Promise<string> => {
    const list = await options.api.list(options.ref, options.select ?? {});
    const present = new Set(list.items.map(keyOf));
    for (const [key, object] of known) {
      if (present.has(key)) continue;
      known.delete(key);
      options.handlers.onDelete(object);
    }
    for (const object of list.items) report(object);
    return list.resourceVersion;
  };

  const report = (object: T): void => {
    const key = keyOf(object);
    const before = known.get(key);
    if (before?.metadata?.resourceVersion === object.metadata?.resourceVersion && before !== undefined)
      return;
    // A new uid under an old name: its predecessor is gone and was not seen going.
    if (before !== undefined && before.metadata?.uid !== object.metadata?.uid)
      options.handlers.onDelete(before);
    known.set(key, object);
    options.handlers.onObject(object);
  };

  while (!signal.aborted) {
    try {
      const resourceVersion = await listAll();
      if (!synced) options.handlers.onSynced?.();
      synced = true;
      failuresInRow = 0;
      for await (const event of options.api.watch(options.ref, {
        ...options.select,
        resourceVersion,
        signal,
      })) {
        if (event.type === 'BOOKMARK') continue;
        if (event.type === 'DELETED') {
          known.delete(keyOf(event.object));
          options.handlers.onDelete(event.object);
        } else report(event.object);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (isPodwrightError(error, 'Expired')) continue;
      failuresInRow += 1;
      const waitMs = Math.min(BOUNDS.stepRetryMsMax, BOUNDS.stepRetryMsMin * 2 ** (failuresInRow - 1));
      options.log.warn('watch failed, listing again', {
        kind: options.ref.plural,
        error: errorText(error),
        waitMs,
      });
      await sleep(waitMs, undefined, { signal }).catch(() => {});
    }
  }
}
