// Work that several callers want at once is done once, and only so much of it at a time. It is cancelled when the last
// of its callers has gone.
//
// Invariant: at most one run per key, at most `parallel` runs; a caller that leaves costs the others nothing.

type Running<T> = { readonly result: Promise<T>; readonly abort: AbortController; callers: number };

export type SharedWork<T> = {
  /** Joins the run of this key or begins one. Throws what the run throws, or the signal's reason. */
  run(key: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T>;
};

export function createSharedWork<T>(parallel: number): SharedWork<T> {
  const running = new Map<string, Running<T>>();
  const waiting: (() => void)[] = [];
  let free = parallel;

  /** Leaves the queue at once when aborted. */
  const turn = (signal: AbortSignal): Promise<void> =>
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

  const inTurn = async (signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    if (free > 0) free -= 1;
    else await turn(signal);
    try {
      return await work(signal);
    } finally {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };

  const begin = (key: string, work: (signal: AbortSignal) => Promise<T>): Running<T> => {
    const abort = new AbortController();
    const result = inTurn(abort.signal, work).finally(() => {
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
    run: async (key, signal, work) => {
      signal.throwIfAborted();
      const run = running.get(key) ?? begin(key, work);
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
