// What a strategy is: it is told who arrives and where room came back, and decides what to place where. Everything else
// (time, ends of applications, measuring) is the simulation's.
import type { Cluster, PlacedPod } from '../scheduler/cluster.ts';
import type { Placement } from '../scheduler/placement.ts';
import type { Measurements } from './measurements.ts';
import type { Random } from './random.ts';
import type { App, Workload } from './workload.ts';

export const STRATEGIES = ['pod', 'task', 'hoard', 'optimistic', 'alloc'] as const;
export type StrategyName = (typeof STRATEGIES)[number];

export type StrategyOptions = {
  /** Of hoard: independent frameworks among which the applications are dealt out. */
  readonly frameworks: number;
  /** Of hoard: after so long with only a part, everything is given back. */
  readonly hoardTimeoutMs: number;
  /** Of optimistic: schedulers side by side, and how long each thinks: per application and per container. */
  readonly schedulers: number;
  readonly decisionMsPerJob: number;
  readonly decisionMsPerTask: number;
  /** fine: a conflict is a lack of room; coarse: any change of the node since it was looked at. */
  readonly conflictDetection: 'fine' | 'coarse';
  /** incremental: the containers that fit stay; all-or-nothing: the application is planned anew. */
  readonly commits: 'all-or-nothing' | 'incremental';
  /** Of alloc: how long an empty envelope is kept for the next application of its kind. */
  readonly envelopeMs: number;
};

export const DEFAULT_STRATEGY_OPTIONS: StrategyOptions = {
  frameworks: 4,
  hoardTimeoutMs: 300_000,
  schedulers: 4,
  decisionMsPerJob: 100,
  decisionMsPerTask: 5,
  conflictDetection: 'fine',
  commits: 'all-or-nothing',
  envelopeMs: 600_000,
};

/** What the simulation offers. */
export type World = {
  readonly workload: Workload;
  readonly cluster: Cluster;
  readonly placement: Placement;
  readonly measurements: Measurements;
  readonly random: Random;
  readonly options: StrategyOptions;
  nowMs(): number;
  after(ms: number, action: () => void): void;
  /** All its containers have a node: it runs, and is told to the strategy as ended when its time is over. */
  started(app: App): void;
  /** A running application lost its place: it will not end by itself any more. */
  stopped(app: App): void;
};

export type Strategy = {
  arrive(app: App): void;
  /** Its time is over: gives back what it holds. */
  ended(app: App): void;
};

/** Places a class of an application's on a node. */
export function hold(
  world: World,
  app: App,
  { part, node }: { readonly part: number; readonly node: number },
): PlacedPod {
  const podClass = app.shape.parts[part];
  if (podClass === undefined) throw new Error(`${app.name} has no container ${part}`);
  return world.cluster.place(podClass, `${app.name}/${part}`, node);
}
