// What a simulation measures while it runs, and the figures made of it. Times are virtual milliseconds unless they say
// wall. Waiting is from an application's arrival to the start of its last container; those that never started count in
// `waitingAtEnd`, not in the waiting times.
import type { Cluster } from '../scheduler/cluster.ts';

/** Shares 0..1 of the whole cluster, at evenly spaced times. */
export type Series = {
  readonly atMs: readonly number[];
  readonly cpu: readonly number[];
  readonly memory: readonly number[];
  readonly gpu: readonly number[];
  /** Held by applications that have not all they need. */
  readonly idle: readonly number[];
};

export type Outcome = {
  readonly strategy: string;
  readonly apps: number;
  /** Started with all their containers. */
  readonly placed: number;
  /** At the end, with some of their containers on a node and others nowhere. */
  readonly halfPlaced: number;
  /** Ever so, for however short. */
  readonly everHalfPlaced: number;
  readonly waitingAtEnd: number;
  /** Larger than every node, or refused by all of them: by name, the first few. */
  readonly neverFit: readonly string[];
  readonly neverFitCount: number;
  readonly gated: number;
  readonly waitMs: {
    readonly p50: number;
    readonly p90: number;
    readonly p99: number;
    readonly mean: number;
  };
  /** Nearest-rank waiting times at 0, 1 .. 100 percent. */
  readonly waitPercentilesMs: readonly number[];
  /** Means from the first arrival to the last. */
  readonly utilization: { readonly cpu: number; readonly memory: number; readonly gpu: number };
  /** Share of the cluster's cpu, from the first arrival to the last, that was held and not used. */
  readonly idleShare: number;
  readonly deadlocks: number;
  readonly decisions: number;
  readonly commits: number;
  readonly conflicts: number;
  /** conflicts / commits */
  readonly conflictFraction: number;
  readonly retries: number;
  readonly evictions: number;
  readonly virtualMs: number;
  readonly series: Series;
  /** By node, in the moment of the highest cpu use: the largest of its shares. */
  readonly fill: readonly number[];
  readonly isInterrupted: boolean;
  readonly wallMs: number;
  readonly decisionsPerSecond: number;
  readonly peakMemoryBytes: number;
};

/** What is the same for the same seed; wall time and memory are not. */
export function repeatable({ wallMs, decisionsPerSecond, peakMemoryBytes, ...rest }: Outcome) {
  return rest;
}

const SAMPLES = 240;
const NAMED = 10;

type Pool = { readonly allocatable: Float64Array; readonly requested: Float64Array };

const sumOf = (values: Float64Array): number => values.reduce((sum, one) => sum + one, 0);

export class Measurements {
  decisions = 0;
  commits = 0;
  conflicts = 0;
  retries = 0;
  evictions = 0;
  deadlocks = 0;
  placed = 0;
  halfPlaced = 0;
  everHalfPlaced = 0;
  /** Milli-CPUs held by applications that have not all they need. */
  idleCpuMilli = 0;
  readonly #cluster: Cluster;
  readonly #pools: { readonly cpu: Pool; readonly memory: Pool; readonly gpu: Pool };
  readonly #waits: number[] = [];
  readonly #series = { atMs: [], cpu: [], memory: [], gpu: [], idle: [] } as Record<keyof Series, number[]>;
  #stepMs: number;
  readonly #startedWallMs = performance.now();
  readonly #span: { readonly fromMs: number; readonly toMs: number };
  #nextSampleMs: number;
  #lastMs = 0;
  #idleCpuTime = 0;
  #fullest = -1;
  #fill: readonly number[] = [];
  #peakMemoryBytes = 0;

  constructor(
    cluster: Cluster,
    gpuResource: string,
    span: { readonly fromMs: number; readonly toMs: number },
  ) {
    this.#cluster = cluster;
    const [cpu, memory, gpu] = ['cpu', 'memory', gpuResource].map((name) => cluster.resource(name));
    if (cpu === undefined || memory === undefined || gpu === undefined) throw new Error('three pools');
    this.#pools = { cpu, memory, gpu };
    this.#span = span;
    this.#stepMs = Math.max(1, (span.toMs - span.fromMs) / SAMPLES);
    this.#nextSampleMs = span.fromMs;
    this.#lastMs = span.fromMs;
  }

  started(waitMs: number): void {
    this.placed += 1;
    this.#waits.push(waitMs);
  }

  /** Called before anything changes at `nowMs`. */
  advance(nowMs: number): void {
    const { toMs, fromMs } = this.#span;
    const countedMs = Math.max(0, Math.min(nowMs, toMs) - this.#lastMs);
    this.#idleCpuTime += this.idleCpuMilli * countedMs;
    this.#lastMs = Math.max(this.#lastMs, nowMs);
    // The long tail of the last few applications says nothing about placing.
    if (nowMs < this.#nextSampleMs || (toMs > fromMs && nowMs > 2 * toMs - fromMs)) return;
    this.#sample(nowMs);
    if (this.#series.atMs.length >= 2 * SAMPLES) this.#thinOut();
    this.#nextSampleMs = nowMs + this.#stepMs;
  }

  /** The end may be far behind the last arrival: half the samples, twice as far apart. */
  #thinOut(): void {
    this.#stepMs *= 2;
    for (const values of Object.values(this.#series)) {
      const kept = values.filter((_, index) => index % 2 === 0);
      values.splice(0, values.length, ...kept);
    }
  }

  #sample(nowMs: number): void {
    const share = ({ allocatable, requested }: Pool): number => {
      const all = sumOf(allocatable);
      return all === 0 ? 0 : sumOf(requested) / all;
    };
    const { cpu, memory, gpu } = this.#pools;
    const used = share(cpu);
    this.#series.atMs.push(nowMs);
    this.#series.cpu.push(used);
    this.#series.memory.push(share(memory));
    this.#series.gpu.push(share(gpu));
    this.#series.idle.push(this.idleCpuMilli / Math.max(1, sumOf(cpu.allocatable)));
    this.#peakMemoryBytes = Math.max(this.#peakMemoryBytes, process.memoryUsage.rss());
    if (used <= this.#fullest) return;
    this.#fullest = used;
    this.#fill = this.#fillNow();
  }

  #fillNow(): readonly number[] {
    const pools = Object.values(this.#pools);
    return Array.from({ length: this.#cluster.size }, (_, node) =>
      Math.max(
        ...pools.map(({ allocatable, requested }) =>
          (allocatable[node] ?? 0) === 0 ? 0 : (requested[node] ?? 0) / (allocatable[node] ?? 1),
        ),
      ),
    );
  }

  outcome(about: {
    readonly strategy: string;
    readonly apps: number;
    readonly gated: number;
    readonly neverFit: readonly string[];
    readonly span: { readonly fromMs: number; readonly nowMs: number };
    readonly isInterrupted: boolean;
  }): Outcome {
    const { strategy, apps, gated, neverFit, span, isInterrupted } = about;
    this.advance(span.nowMs);
    if (this.#series.atMs.length === 0) this.#sample(span.nowMs);
    const waits = Float64Array.from(this.#waits).sort();
    const at = (fraction: number): number => waits[Math.max(0, Math.ceil(fraction * waits.length) - 1)] ?? 0;
    const mean = (values: readonly number[]): number =>
      values.reduce((sum, one) => sum + one, 0) / Math.max(1, values.length);
    const { toMs, fromMs } = this.#span;
    const { atMs } = this.#series;
    const whileArriving = (values: readonly number[]): number =>
      mean(toMs > fromMs ? values.filter((_, i) => (atMs[i] ?? 0) <= toMs) : values);
    const wallMs = performance.now() - this.#startedWallMs;
    const virtualMs = span.nowMs - span.fromMs;
    const { cpu, memory, gpu } = this.#series;
    return {
      strategy,
      apps,
      placed: this.placed,
      halfPlaced: this.halfPlaced,
      everHalfPlaced: this.everHalfPlaced,
      waitingAtEnd: apps - this.placed - gated,
      neverFit: neverFit.slice(0, NAMED),
      neverFitCount: neverFit.length,
      gated,
      waitMs: { p50: at(0.5), p90: at(0.9), p99: at(0.99), mean: mean([...waits]) },
      waitPercentilesMs: Array.from({ length: 101 }, (_, percent) => at(percent / 100)),
      utilization: { cpu: whileArriving(cpu), memory: whileArriving(memory), gpu: whileArriving(gpu) },
      idleShare: this.#idleCpuTime / Math.max(1, (toMs - fromMs) * sumOf(this.#pools.cpu.allocatable)),
      deadlocks: this.deadlocks,
      decisions: this.decisions,
      commits: this.commits,
      conflicts: this.conflicts,
      conflictFraction: this.commits === 0 ? 0 : this.conflicts / this.commits,
      retries: this.retries,
      evictions: this.evictions,
      virtualMs,
      series: this.#series,
      fill: this.#fill,
      isInterrupted,
      wallMs,
      decisionsPerSecond: (1000 * this.decisions) / Math.max(1, wallMs),
      peakMemoryBytes: Math.max(this.#peakMemoryBytes, process.memoryUsage.rss()),
    };
  }
}
