// Mesos' way: frameworks get offers in the order of their dominant shares (DRF), take from each what one of their
// containers needs, and hoard it until the application is whole. Two that hoard on the same node can wait for one another
// for ever: such cycles are found and counted, and a time-out breaks them by giving everything back.
// https://www.usenix.org/conference/nsdi11/mesos-platform-fine-grained-resource-sharing-data-center
import { findCycle } from '../deadlock.ts';
import type { Strategy, World } from '../strategy.ts';
import type { App } from '../workload.ts';
import { Assemblies, type Assembly } from './assembly.ts';
import { FirstFitQueue } from './first-fit-queue.ts';
import { firstPart } from './task.ts';

type Framework = { readonly queue: FirstFitQueue; readonly held: Map<string, number> };

export function hoardStrategy(world: World): Strategy {
  const { cluster, measurements, options } = world;
  const assemblies = new Assemblies(world);
  const frameworks: readonly Framework[] = Array.from({ length: options.frameworks }, () => ({
    queue: new FirstFitQueue(world, firstPart),
    held: new Map(),
  }));
  const owners = new Map<App, Framework>();
  const deadlocked = new Set<Assembly>();
  let dealt = 0;

  const totals = new Map<string, number>();
  for (const name of cluster.resourceNames())
    totals.set(
      name,
      cluster.resource(name).allocatable.reduce((sum, one) => sum + one, 0),
    );

  const dominantShare = ({ held }: Framework): number => {
    let share = 0;
    for (const [name, amount] of held) share = Math.max(share, amount / Math.max(1, totals.get(name) ?? 1));
    return share;
  };

  /** Counted when the first container is taken, for the application as a whole: it is what the framework is after. */
  const account = (app: App, sign: 1 | -1): void => {
    const held = owners.get(app)?.held;
    for (const [name, amount] of Object.entries(app.shape.whole.requests))
      held?.set(name, (held.get(name) ?? 0) + sign * amount);
  };

  /** Who hoards what one would lack on its node even if all that run there were gone: time alone does not help. */
  const waitsFor = (assembly: Assembly): readonly Assembly[] => {
    const { node } = assembly;
    const stuck = assemblies.stuckOn(node);
    const hoarded = (one: Assembly, name: string): number =>
      one.held.reduce((sum, { podClass }) => sum + (podClass.requests[name] ?? 0), 0);
    const missing = Object.entries(assemblies.missing(assembly)?.requests ?? {});
    const short = missing.filter(([name, amount]) => {
      const all = stuck.reduce((sum, one) => sum + hoarded(one, name), 0);
      return amount > (cluster.resource(name).allocatable[node] ?? 0) - all;
    });
    return stuck.filter((other) => other !== assembly && short.some(([name]) => hoarded(other, name) > 0));
  };

  const look = (assembly: Assembly): void => {
    const open = assemblies.stuckOn(assembly.node).filter((one) => !deadlocked.has(one));
    const cycle = findCycle(open, (one) => waitsFor(one).filter((other) => !deadlocked.has(other)));
    if (cycle === undefined) return;
    measurements.deadlocks += 1;
    for (const one of cycle) deadlocked.add(one);
  };

  const giveBack = (app: App): void => {
    const assembly = assemblies.of(app);
    if (assembly !== undefined) deadlocked.delete(assembly);
    const node = assemblies.release(app);
    if (node === undefined) return;
    account(app, -1);
    for (const done of assemblies.retryOn(node)) deadlocked.delete(done);
    for (const { queue } of frameworks) queue.freed(node);
  };

  const begin = (app: App, node: number): void => {
    account(app, 1);
    const assembly = assemblies.begin(app, node);
    if (assemblies.grow(assembly) === 'complete') return;
    look(assembly);
    world.after(options.hoardTimeoutMs, () => {
      if (assemblies.of(app) !== assembly || !assembly.isStuck) return;
      measurements.retries += 1;
      giveBack(app);
      // Not all at once: they would only meet again.
      world.after(world.random() * options.hoardTimeoutMs, () => {
        owners.get(app)?.queue.add(app);
        work();
      });
      work();
    });
  };

  /** Offers go to the framework with the smallest dominant share; one that wants nothing lets the next one have it. */
  const work = (): void => {
    for (;;) {
      const inOrder = [...frameworks].sort((a, b) => dominantShare(a) - dominantShare(b));
      const offered = inOrder.find(({ queue }) => {
        const next = queue.next();
        if (next === undefined) return false;
        const node = world.placement.findNode(firstPart(next.app));
        if (node < 0) queue.putAside(next.unit);
        else {
          queue.take(next.app);
          begin(next.app, node);
        }
        return true;
      });
      if (offered === undefined) return;
    }
  };

  return {
    arrive(app) {
      const owner = frameworks[dealt % frameworks.length];
      dealt += 1;
      if (owner === undefined) throw new Error('hoard needs a framework');
      owners.set(app, owner);
      owner.queue.add(app);
      work();
    },
    ended(app) {
      giveBack(app);
      owners.delete(app);
      work();
    },
  };
}
