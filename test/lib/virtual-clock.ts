// Time that stands still until a test moves it. Timers fire in order of their time; between two of them everything
// that can happen without time passing has happened ("settled").
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../../src/base/clock.ts';

type Timer = { readonly atMs: number; readonly callback: () => void };

/** Turns of the event loop without activity after which nothing more happens by itself. */
const QUIET_TURNS = 3;

export class VirtualClock implements Clock {
  #nowMs: number;
  readonly #timers = new Set<Timer>();
  /** Raised by fakes whenever they are called: a sign that something still happens. */
  activity = 0;

  constructor(startMs = Date.UTC(2030, 0, 1)) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  at(atMs: number, callback: () => void): () => void {
    const timer = { atMs, callback };
    this.#timers.add(timer);
    this.activity += 1;
    return () => this.#timers.delete(timer);
  }

  /** Until nothing happens any more without time passing. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < QUIET_TURNS; quiet += 1) {
      const before = this.activity;
      await nextTurn();
      if (this.activity !== before) quiet = -1;
    }
  }

  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await this.settle();
    for (;;) {
      const next = [...this.#timers].sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined || next.atMs > untilMs) break;
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.callback();
      await this.settle();
    }
    this.#nowMs = untilMs;
  }
}
