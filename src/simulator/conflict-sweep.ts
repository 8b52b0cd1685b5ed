// How often optimistic commits collide, against the number of schedulers: the same workload again and again.
import type { Profile } from '../scheduler/profile.ts';
import type { ConflictPoint } from './report/charts.ts';
import { simulate } from './simulation.ts';
import type { StrategyOptions } from './strategy.ts';
import type { Workload } from './workload.ts';

const SCHEDULERS = [1, 2, 4, 8, 16, 32];

export type SweepOptions = {
  readonly seed: number;
  readonly profile?: Profile | undefined;
  readonly options?: Partial<StrategyOptions> | undefined;
};

/** The points that were finished before the signal aborted. */
export async function conflictSweep(
  workload: Workload,
  { seed, profile, options }: SweepOptions,
  signal?: AbortSignal,
): Promise<readonly ConflictPoint[]> {
  const points: ConflictPoint[] = [];
  for (const schedulers of SCHEDULERS) {
    const fraction = async (conflictDetection: 'fine' | 'coarse'): Promise<number> => {
      const run = {
        strategy: 'optimistic',
        seed,
        profile,
        options: { ...options, schedulers, conflictDetection },
      } as const;
      return (await simulate(workload, run, signal)).conflictFraction;
    };
    const point = { schedulers, fine: await fraction('fine'), coarse: await fraction('coarse') };
    if (signal?.aborted) break;
    points.push(point);
  }
  return points;
}
