// Work that several callers want at once is done once, and only so much of it at a time per lane: what hangs in one holds up
// no other. It is cancelled when the last of its callers has gone.
//
// Invariant: at most one run per key, at most `parallel` runs per lane; a caller that leaves costs the others nothing.

type Running<T> = { readonly result: Promise<T>; readonly abort: AbortController; callers: number };

export type Job<T> = {
  readonly key: string;
  readonly lane: string;
  readonly work: (signal: AbortSignal) => Promise<T>;
};

export type SharedWork<T> = {
  /** Joins the run of this key or begins one. Throws what the run throws, or the signal's reason. */
  run(job: Job<T>, signal: AbortSignal): Promise<T>;
};

/** Absent while nothing runs in it. */
type Lane = { running: number; readonly waiting: (() => void)[] };

export function createSharedWork<T>(parallel: number): SharedWork<T> {
  const running = new Map<string, Running<T>>();
  const lanes = new Map<string, Lane>();

  /** Leaves the queue at once when aborted. */
  const turn = ({ waiting }: Lane, signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const begin = (): void => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = (): void => {
        waiting.splice(waiting.indexOf(begin), 1);
        reject(signal.reason);
      };
      waiting.push(begin);
      signal.addEventListener('abort', leave, { once: true });
    });

  const inTurn = async ({ lane: name, work }: Job<T>, signal: AbortSignal): Promise<T> => {
    const lane = lanes.get(name) ?? { running: 0, waiting: [] };
    lanes.set(name, lane);
    if (lane.running < parallel) lane.running += 1;
    else await turn(lane, signal);
    try {
      return await work(signal);
    } finally {
      const next = lane.waiting.shift();
      if (next === undefined) lane.running -= 1;
      else next();
      if (lane.running === 0) lanes.delete(name);
    }
  };

  const begin = (job: Job<T>): Running<T> => {
    const { key } = job;
    const abort = new AbortController();
    const result = inTurn(job, abort.signal).finally(() => {
      if (running.get(key) === run) running.delete(key);
    });
    const run: Running<T> = { result, abort, callers: 0 };
    running.set(key, run);
    return run;
  };

  /** It takes no new callers, who would only see it fail; the last caller waits until it has tidied up. */
  const giveUp = async (key: string, run: Running<T>, reason: unknown): Promise<void> => {
    if (running.get(key) === run) running.delete(key);
    run.abort.abort(reason);
    await run.result.catch(() => {});
  };

  return {
    run: async (job, signal) => {
      signal.throwIfAborted();
      const { key } = job;
      const run = running.get(key) ?? begin(job);
      run.callers += 1;
      const left = Promise.withResolvers<never>();
      const leave = (): void => left.reject(signal.reason);
      signal.addEventListener('abort', leave, { once: true });
      try {
        return await Promise.race([run.result, left.promise]);
      } finally {
        signal.removeEventListener('abort', leave);
        run.callers -= 1;
        if (run.callers === 0) await giveUp(key, run, signal.reason);
      }
    },
  };
}
