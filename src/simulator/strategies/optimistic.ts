// Omega's way: several schedulers look at the whole cluster, think for a while, and commit; who finds the node changed in
// the meantime lost the race and thinks again.
// https://research.google/pubs/omega-flexible-scalable-schedulers-for-large-compute-clusters/
import type { PlacedPod } from '../../scheduler/cluster.ts';
import type { Strategy, World } from '../strategy.ts';
import type { App } from '../workload.ts';
import { Assemblies } from './assembly.ts';
import { FirstFitQueue } from './first-fit-queue.ts';

type Scheduler = { readonly queue: FirstFitQueue; isThinking: boolean };

/** Nodes one scheduler looks at; all choosing the one best node of the cluster would always collide. */
const SAMPLE = 32;

export function optimisticStrategy(world: World): Strategy {
  const { cluster, measurements, options, placement, random } = world;
  const assemblies = new Assemblies(world);
  const whole = new Map<App, PlacedPod>();
  const versions = new Uint32Array(cluster.size);
  const owners = new Map<App, Scheduler>();
  const schedulers: readonly Scheduler[] = Array.from({ length: options.schedulers }, () => ({
    queue: new FirstFitQueue(world, ({ shape }) => shape.whole),
    isThinking: false,
  }));
  let dealt = 0;

  const changed = (node: number): void => {
    versions[node] = (versions[node] ?? 0) + 1;
  };

  const choose = ({ shape }: App): number => {
    const view = placement.viewOf(shape.whole);
    const sample = Array.from({ length: SAMPLE }, () => Math.floor(random() * cluster.size));
    const node = view.bestOf(sample);
    return node < 0 ? view.best() : node;
  };

  const fits = ({ shape }: App, node: number): boolean => {
    const view = placement.viewOf(shape.whole);
    view.refresh();
    return view.fits(node);
  };

  /** Whether the commit got through, at least in part. */
  const commit = (
    app: App,
    { node, version }: { readonly node: number; readonly version: number },
  ): boolean => {
    measurements.commits += 1;
    const isStale = options.conflictDetection === 'coarse' && versions[node] !== version;
    if (isStale || (options.commits === 'all-or-nothing' && !fits(app, node))) return false;
    if (options.commits === 'incremental') {
      const assembly = assemblies.begin(app, node);
      if (assemblies.grow(assembly) === 'stuck') {
        if (assembly.held.length === 0) {
          assemblies.release(app);
          return false;
        }
        measurements.conflicts += 1;
      }
    } else {
      whole.set(app, cluster.place(app.shape.whole, app.name, node));
      world.started(app);
    }
    changed(node);
    return true;
  };

  const think = (scheduler: Scheduler): void => {
    while (!scheduler.isThinking) {
      const next = scheduler.queue.next();
      if (next === undefined) return;
      const { app, unit } = next;
      measurements.decisions += 1;
      const node = choose(app);
      if (node < 0) {
        scheduler.queue.putAside(unit);
        continue;
      }
      scheduler.isThinking = true;
      const version = versions[node] ?? 0;
      scheduler.queue.take(app);
      const thinkMs = options.decisionMsPerJob + options.decisionMsPerTask * app.shape.parts.length;
      world.after(thinkMs, () => {
        scheduler.isThinking = false;
        if (!commit(app, { node, version })) {
          measurements.conflicts += 1;
          measurements.retries += 1;
          scheduler.queue.add(app);
        }
        think(scheduler);
      });
    }
  };

  const freed = (node: number): void => {
    changed(node);
    assemblies.retryOn(node);
    for (const scheduler of schedulers) {
      scheduler.queue.freed(node);
      think(scheduler);
    }
  };

  return {
    arrive(app) {
      const owner = schedulers[dealt % schedulers.length];
      dealt += 1;
      if (owner === undefined) throw new Error('optimistic needs a scheduler');
      owners.set(app, owner);
      owner.queue.add(app);
      think(owner);
    },
    ended(app) {
      owners.delete(app);
      const placed = whole.get(app);
      whole.delete(app);
      if (placed !== undefined) cluster.remove(placed);
      const node = placed?.node ?? assemblies.release(app);
      if (node !== undefined) freed(node);
    },
  };
}
