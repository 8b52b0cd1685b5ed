// What every controller is: an ordinary client of the API that follows some kinds, plans, and carries out. The plan is pure
// and made of what is, so that losing all events but the last is harmless; a controller remembers nothing.
//
// Invariants
// - One pass at a time; any number of changes before a pass is one pass.
// - A step that failed is planned again, after a wait that doubles; what is planned on an old state is refused by the
//   version or uid that the step names, and needs no wait: what changed comes by the watch.
import { BOUNDS } from '../base/bounds.ts';
import type { CancelTimer, Clock } from '../base/clock.ts';
import { errorText, isPodwrightError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { runInformer } from '../client/informer.ts';
import type { KubeObject, ResourceApi, ResourceRef } from '../client/resource-api.ts';
import { keyOf } from './object-key.ts';

export type ControllerOptions = { readonly api: ResourceApi; readonly clock: Clock; readonly log: Log };

export type Plan<Step> = { readonly steps: readonly Step[]; readonly wakeAtMs?: number | undefined };

export type Work<Step> = {
  /** What the log calls the controller. */
  readonly name: string;
  readonly plan: (nowMs: number) => Plan<Step>;
  readonly perform: (step: Step) => Promise<void>;
};

export type FollowOptions<T> = {
  /** What is not relevant is not kept, and wakes nobody. */
  readonly isRelevant?: (object: T) => boolean;
  /** Whether a change makes a new pass. Absent: each does. */
  readonly wakes?: (object: T, before: T | undefined) => boolean;
  /** Whether a deletion does. Absent: each does. */
  readonly wakesOnDelete?: (object: T) => boolean;
  /** Ends it before the controller does. */
  readonly until?: AbortSignal;
};

export type Controller = {
  /** The kind's objects by key, kept up to date; no pass is made before it was read whole. */
  follow<T extends KubeObject>(ref: ResourceRef<T>, options?: FollowOptions<T>): ReadonlyMap<string, T>;
  /** Resolves when the signal aborts. */
  run<Step>(work: Work<Step>): Promise<void>;
};

export function createController({ api, clock, log }: ControllerOptions, signal: AbortSignal): Controller {
  const unsynced = new Set<object>();
  const informers = new Set<Promise<void>>();
  let wake = (): void => {};

  const follow = <T extends KubeObject>(ref: ResourceRef<T>, options: FollowOptions<T> = {}) => {
    const { isRelevant = () => true, wakes = () => true, wakesOnDelete = () => true, until } = options;
    const objects = new Map<string, T>();
    unsynced.add(objects);
    const synced = (): void => {
      unsynced.delete(objects);
      wake();
    };
    const handlers = {
      onObject: (object: T): void => {
        const key = keyOf(object);
        const before = objects.get(key);
        const isKept = isRelevant(object);
        if (isKept) objects.set(key, object);
        else objects.delete(key);
        if (isKept ? wakes(object, before) : before !== undefined) wake();
      },
      onDelete: (object: T): void => {
        if (objects.delete(keyOf(object)) && wakesOnDelete(object)) wake();
      },
      onSynced: synced,
    };
    const ended = until === undefined ? signal : AbortSignal.any([signal, until]);
    const informer = runInformer({ api, ref, handlers, log }, ended).then(synced);
    informers.add(informer);
    void informer.then(() => informers.delete(informer));
    return objects;
  };

  const run = async <Step>({ name, plan, perform }: Work<Step>): Promise<void> => {
    let isWorking = false;
    let isDue = false;
    let cancelTimer: CancelTimer = () => {};
    let failuresInRow = 0;

    const work = async (): Promise<void> => {
      isDue = true;
      if (isWorking || unsynced.size > 0) return;
      isWorking = true;
      while (isDue && !signal.aborted && unsynced.size === 0) {
        isDue = false;
        const { steps, wakeAtMs } = plan(clock.nowMs());
        const results = await Promise.allSettled(steps.map(perform));
        const reasons = results.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
        sleepUntil(Math.min(wakeAtMs ?? Infinity, retryAtMs(reasons)));
      }
      isWorking = false;
    };
    const retryAtMs = (reasons: readonly unknown[]): number => {
      const failures = reasons.filter(
        (reason) => !isPodwrightError(reason, 'Conflict', 'NotFound', 'AlreadyExists'),
      );
      failuresInRow = failures.length === 0 ? 0 : failuresInRow + 1;
      if (failures.length === 0) return Infinity;
      for (const failure of failures) log.warn(`a step of ${name} failed`, { error: errorText(failure) });
      return (
        clock.nowMs() + Math.min(BOUNDS.stepRetryMsMax, BOUNDS.stepRetryMsMin * 2 ** (failuresInRow - 1))
      );
    };
    const sleepUntil = (atMs: number): void => {
      cancelTimer();
      if (atMs < Infinity && !signal.aborted) cancelTimer = clock.at(atMs, () => void work());
    };

    wake = () => void work();
    wake();
    if (!signal.aborted) {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    }
    await Promise.all(informers);
    cancelTimer();
  };
  return { follow, run };
}
