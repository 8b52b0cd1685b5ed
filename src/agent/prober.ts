// Makes the probes of one pod on the beat of the clock and counts their results. It decides nothing: a verdict is data
// for planPod and podStatus. One timer a probe; a probe that is no longer asked for ends at once.
//
// Invariant: a verdict changes only after its threshold of equal results in a row; an unknown result counts for nothing
// (pkg/kubelet/prober/worker.go).
import type { CancelTimer, Clock } from '../base/clock.ts';
import type { CheckResult, RunCheck } from './checks/check.ts';
import type { ProbeVerdict } from './observed.ts';
import type { ProbeTarget } from './probe-targets.ts';

export type ProberOptions = {
  readonly clock: Clock;
  readonly runCheck: RunCheck;
  /** 0..1: spreads the first probes of what an earlier engine started. */
  readonly random: () => number;
  readonly onResult: (target: ProbeTarget, result: CheckResult) => void;
  /** The verdicts have changed. */
  readonly onVerdict: () => void;
};

type Course = {
  target: ProbeTarget;
  readonly stop: AbortController;
  cancelTimer: CancelTimer;
  lastKind: ProbeVerdict | undefined;
  inRow: number;
};

export class Prober {
  readonly #options: ProberOptions;
  readonly #createdAtMs: number;
  readonly #courses = new Map<string, Course>();
  #verdicts: ReadonlyMap<string, ProbeVerdict> = new Map();

  constructor(options: ProberOptions) {
    this.#options = options;
    this.#createdAtMs = options.clock.nowMs();
  }

  /** By probeKey(). */
  get verdicts(): ReadonlyMap<string, ProbeVerdict> {
    return this.#verdicts;
  }

  /** Exactly these from now on. @param ids containers that still exist: verdicts on others are forgotten. */
  follow(targets: readonly ProbeTarget[], ids: ReadonlySet<string>): void {
    const wanted = new Map(targets.map((target) => [target.key, target]));
    for (const [key, course] of this.#courses) if (!wanted.has(key)) this.#end(key, course);
    for (const [key, target] of wanted) {
      const known = this.#courses.get(key);
      if (known === undefined) this.#begin(target);
      else known.target = target;
    }
    const kept = [...this.#verdicts].filter(([key]) => ids.has(key.slice(key.indexOf(' ') + 1)));
    if (kept.length < this.#verdicts.size) this.#verdicts = new Map(kept);
  }

  stop(): void {
    for (const [key, course] of this.#courses) this.#end(key, course);
  }

  #end(key: string, course: Course): void {
    course.cancelTimer();
    course.stop.abort();
    this.#courses.delete(key);
  }

  #begin(target: ProbeTarget): void {
    const { clock, random } = this.#options;
    const stop = new AbortController();
    const course: Course = { target, stop, cancelTimer: () => {}, lastKind: undefined, inRow: 0 };
    this.#courses.set(target.key, course);
    const jitterMs = target.startedAtMs < this.#createdAtMs ? random() * target.periodMs : 0;
    const atMs = Math.max(clock.nowMs() + jitterMs, target.startedAtMs + target.initialDelayMs);
    course.cancelTimer = clock.at(atMs, () => void this.#probe(course));
  }

  async #probe(course: Course): Promise<void> {
    const { clock } = this.#options;
    const beginMs = clock.nowMs();
    const result = await this.#check(course);
    if (course.stop.signal.aborted) return;
    const { periodMs } = course.target;
    // A probe that takes longer than its period is followed by the next at once, never by two.
    course.cancelTimer = clock.at(
      Math.max(beginMs + periodMs, clock.nowMs()),
      () => void this.#probe(course),
    );
    this.#options.onResult(course.target, result);
    if (result.kind !== 'unknown') this.#count(course, result.kind === 'failure' ? 'failure' : 'success');
  }

  async #check({ target, stop }: Course): Promise<CheckResult> {
    const { clock, runCheck } = this.#options;
    const late = new AbortController();
    const cancel = clock.at(clock.nowMs() + target.timeoutMs, () => late.abort());
    try {
      const signal = AbortSignal.any([late.signal, stop.signal]);
      return await runCheck(target.check, { timeoutMs: target.timeoutMs, signal });
    } finally {
      cancel();
    }
  }

  #count(course: Course, kind: ProbeVerdict): void {
    const { target } = course;
    course.inRow = course.lastKind === kind ? course.inRow + 1 : 1;
    course.lastKind = kind;
    const threshold = kind === 'success' ? target.successThreshold : target.failureThreshold;
    if (course.inRow < threshold || this.#verdicts.get(target.key) === kind) return;
    this.#verdicts = new Map([...this.#verdicts, [target.key, kind]]);
    this.#options.onVerdict();
  }
}
