// What the agent does for the node rather than for one pod, now and then: each chore has its own pace, never runs twice at
// a time, and one that fails costs nobody else anything; it is tried again at its next turn.
import type { CancelTimer, Clock } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Log } from '../base/log.ts';

export type Chore = {
  readonly name: string;
  readonly everyMs: number;
  readonly run: () => Promise<void>;
};

export class Housekeeping {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #timers = new Map<Chore, CancelTimer>();
  readonly #working = new Map<Chore, Promise<void>>();
  #isStopped = false;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  start(chores: readonly Chore[]): void {
    for (const chore of chores) this.#arm(chore);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const cancel of this.#timers.values()) cancel();
    await Promise.all(this.#working.values());
  }

  #arm(chore: Chore): void {
    if (this.#isStopped) return;
    const atMs = this.#clock.nowMs() + chore.everyMs;
    this.#timers.set(
      chore,
      this.#clock.at(atMs, () => this.#working.set(chore, this.#do(chore))),
    );
  }

  async #do(chore: Chore): Promise<void> {
    try {
      await chore.run();
    } catch (error) {
      this.#log.warn('housekeeping', { chore: chore.name, error: errorText(error) });
    }
    this.#arm(chore);
  }
}
