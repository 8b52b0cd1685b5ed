// Virtual time: applications arrive, a strategy places them, they run and end. Runs as fast as it can and lets go of the
// event loop now and then, so that progress shows and Ctrl-C works.
//
// Invariant: the same workload, strategy, options and seed give the same outcome, but for wall time and memory.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Heap } from '../base/heap.ts';
import { Cluster } from '../scheduler/cluster.ts';
import { Placement } from '../scheduler/placement.ts';
import type { Profile } from '../scheduler/profile.ts';
import { Measurements, type Outcome } from './measurements.ts';
import { randomOf } from './random.ts';
import { allocStrategy } from './strategies/alloc.ts';
import { hoardStrategy } from './strategies/hoard.ts';
import { optimisticStrategy } from './strategies/optimistic.ts';
import { podStrategy } from './strategies/pod.ts';
import { taskStrategy } from './strategies/task.ts';
import {
  DEFAULT_STRATEGY_OPTIONS,
  type Strategy,
  type StrategyName,
  type StrategyOptions,
  type World,
} from './strategy.ts';
import type { App, Workload } from './workload.ts';

export const GPU_RESOURCE = 'nvidia.com/gpu-milli';

export type Progress = { readonly arrived: number; readonly apps: number; readonly placed: number };

export type SimulationOptions = {
  readonly strategy: StrategyName;
  readonly seed: number;
  readonly profile?: Profile | undefined;
  readonly options?: Partial<StrategyOptions> | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
};

const MAKE: Readonly<Record<StrategyName, (world: World) => Strategy>> = {
  pod: podStrategy,
  task: taskStrategy,
  hoard: hoardStrategy,
  optimistic: optimisticStrategy,
  alloc: allocStrategy,
};

type Timer = { readonly atMs: number; readonly order: number; readonly action: () => void };

/** Real time between two looks at the event loop. */
const TURN_MS = 50;
const STEPS_PER_LOOK = 256;

/** An application no node could take even if it were empty. */
function neverFits(workload: Workload, profile: Profile | undefined): readonly string[] {
  const cluster = new Cluster();
  for (const node of workload.nodes) cluster.setNode(node);
  const placement = new Placement(cluster, profile && [profile]);
  const verdicts = new Map<number, boolean>();
  return workload.apps
    .filter(({ shape: { whole } }) => {
      // Where it wants to be near others, an empty cluster says nothing.
      if (whole.affinity.length > 0) return false;
      let verdict = verdicts.get(whole.id);
      if (verdict === undefined) {
        verdict = placement.findNode(whole) < 0;
        verdicts.set(whole.id, verdict);
      }
      return verdict;
    })
    .map(({ name }) => name);
}

/** Ends early when the signal aborts, with what there is until then. */
export async function simulate(
  workload: Workload,
  { strategy: strategyName, seed, profile, options = {}, onProgress }: SimulationOptions,
  signal?: AbortSignal,
): Promise<Outcome> {
  const { apps } = workload;
  const cluster = new Cluster();
  for (const [name, labels] of workload.namespaces) cluster.setNamespace(name, labels);
  for (const node of workload.nodes) cluster.setNode(node);
  const fromMs = apps[0]?.arriveMs ?? 0;
  const span = { fromMs, toMs: apps.at(-1)?.arriveMs ?? 0 };
  const measurements = new Measurements(cluster, GPU_RESOURCE, span);
  const timers = new Heap<Timer>((a, b) => (a.atMs === b.atMs ? a.order < b.order : a.atMs < b.atMs));
  const runs = new Map<App, number>();
  let nowMs = fromMs;
  let order = 0;

  const world: World = {
    workload,
    cluster,
    placement: new Placement(cluster, profile && [profile]),
    measurements,
    random: randomOf(seed),
    options: { ...DEFAULT_STRATEGY_OPTIONS, ...options },
    nowMs: () => nowMs,
    after(ms, action) {
      order += 1;
      timers.push({ atMs: nowMs + ms, order, action });
    },
    started(app) {
      measurements.started(nowMs - app.arriveMs);
      if (app.durationMs === Number.POSITIVE_INFINITY) return;
      const run = order + 1;
      runs.set(app, run);
      world.after(app.durationMs, () => {
        if (runs.get(app) !== run) return;
        runs.delete(app);
        strategy.ended(app);
      });
    },
    stopped(app) {
      runs.delete(app);
      measurements.placed -= 1;
    },
  };
  const strategy = MAKE[strategyName](world);

  let arrived = 0;
  let steps = 0;
  let turnMs = performance.now();
  // After the last arrival the rest may only drain: what nobody can help any more would back off for ever.
  const isOver = (): boolean => arrived === apps.length && timers.size === 0;
  while (!isOver() && signal?.aborted !== true) {
    const timer = timers.peek();
    const app = apps[arrived];
    if (app !== undefined && (timer === undefined || app.arriveMs <= timer.atMs)) {
      arrived += 1;
      nowMs = Math.max(nowMs, app.arriveMs);
      measurements.advance(nowMs);
      strategy.arrive(app);
    } else if (timer !== undefined) {
      timers.pop();
      nowMs = timer.atMs;
      measurements.advance(nowMs);
      timer.action();
    }
    steps += 1;
    if (steps % STEPS_PER_LOOK !== 0 || performance.now() - turnMs < TURN_MS) continue;
    onProgress?.({ arrived, apps: apps.length, placed: measurements.placed });
    await nextTurn();
    turnMs = performance.now();
  }
  onProgress?.({ arrived, apps: apps.length, placed: measurements.placed });
  return measurements.outcome({
    strategy: strategyName,
    apps: apps.length + workload.gated.length,
    gated: workload.gated.length,
    neverFit: neverFits(workload, profile),
    span: { fromMs, nowMs },
    isInterrupted: signal?.aborted === true,
  });
}
