// What the engine did when, for each pod: named stretches of time in a ring of bounded size, always on. Not a log and not
// kept over a restart; `podwright trace` shows them, and a collector may have them (otlp.ts).
//
// Invariant: measuring changes nothing about the work; a failure is noted and goes on to the caller.
import { BOUNDS } from './bounds.ts';

export type Span = {
  /** Whose it is: a pod's uid. */
  readonly subject: string;
  /** "sandbox: network", "create c0: monitor and runtime". */
  readonly name: string;
  /** Milliseconds of the epoch, with fractions. */
  readonly startMs: number;
  readonly endMs: number;
  readonly outcome: 'ok' | 'failed';
};

export type Spans = {
  measure<T>(subject: string, name: string, work: () => Promise<T> | T): Promise<T>;
  /** In the order of their starts. */
  of(subject: string): readonly Span[];
  /** Told of each span at its end. Returns the undo. */
  subscribe(listener: (span: Span) => void): () => void;
};

const nowMs = (): number => performance.timeOrigin + performance.now();

export function createSpans(): Spans {
  const ring: Span[] = [];
  const listeners = new Set<(span: Span) => void>();
  let next = 0;
  const note = (span: Span): void => {
    ring[next] = span;
    next = (next + 1) % BOUNDS.spans;
    for (const listener of listeners) listener(span);
  };
  return {
    async measure(subject, name, work) {
      const startMs = nowMs();
      let outcome: Span['outcome'] = 'failed';
      try {
        const result = await work();
        outcome = 'ok';
        return result;
      } finally {
        note({ subject, name, startMs, endMs: nowMs(), outcome });
      }
    },
    of: (subject) => ring.filter((span) => span.subject === subject).sort((a, b) => a.startMs - b.startMs),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** This process' own. One is enough: a span says whose it is. */
export const spans: Spans = createSpans();
