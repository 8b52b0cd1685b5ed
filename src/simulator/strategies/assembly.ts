// Applications that are put together container by container on one node, for the strategies that do not place pods whole.
//
// Invariant: an assembly is complete, or it is listed as stuck on its node and its cpu counts as idle.
import type { PlacedPod } from '../../scheduler/cluster.ts';
import { hold, type World } from '../strategy.ts';
import type { App } from '../workload.ts';

export type Assembly = {
  readonly app: App;
  readonly node: number;
  readonly held: PlacedPod[];
  isStuck: boolean;
};

export class Assemblies {
  readonly #world: World;
  readonly #byApp = new Map<App, Assembly>();
  readonly #everStuck = new Set<App>();
  readonly #stuck = new Map<number, Set<Assembly>>();

  constructor(world: World) {
    this.#world = world;
  }

  of(app: App): Assembly | undefined {
    return this.#byApp.get(app);
  }

  stuckOn(node: number): readonly Assembly[] {
    return [...(this.#stuck.get(node) ?? [])];
  }

  /** The next container that has no place yet. */
  missing({ app, held }: Assembly) {
    return app.shape.parts[held.length];
  }

  begin(app: App, node: number): Assembly {
    const assembly = { app, node, held: [], isStuck: false };
    this.#byApp.set(app, assembly);
    return assembly;
  }

  /** Places one container after the other while there is room; starts the application when none is missing. */
  grow(assembly: Assembly): 'complete' | 'stuck' {
    const { app, node, held } = assembly;
    const { placement, measurements } = this.#world;
    for (let part = this.missing(assembly); part !== undefined; part = this.missing(assembly)) {
      const view = placement.viewOf(part);
      view.refresh();
      measurements.decisions += 1;
      if (!view.fits(node)) {
        this.#setStuck(assembly, true);
        return 'stuck';
      }
      this.#countIdle(assembly, -1);
      held.push(hold(this.#world, app, { part: held.length, node }));
      this.#countIdle(assembly, 1);
    }
    this.#setStuck(assembly, false);
    this.#world.started(app);
    return 'complete';
  }

  /** Gives back all it holds. */
  release(app: App): number | undefined {
    const assembly = this.#byApp.get(app);
    if (assembly === undefined) return undefined;
    this.#setStuck(assembly, false);
    this.#byApp.delete(app);
    for (const placed of assembly.held) this.#world.cluster.remove(placed);
    return assembly.node;
  }

  /** Those that wait for room on the node try again, the oldest first. Returns the ones that became complete. */
  retryOn(node: number): readonly Assembly[] {
    return this.stuckOn(node).filter((assembly) => this.grow(assembly) === 'complete');
  }

  #countIdle({ isStuck, held }: Assembly, sign: 1 | -1): void {
    if (!isStuck) return;
    for (const { podClass } of held)
      this.#world.measurements.idleCpuMilli += sign * (podClass.requests.cpu ?? 0);
  }

  #setStuck(assembly: Assembly, isStuck: boolean): void {
    if (assembly.isStuck === isStuck) return;
    const { measurements } = this.#world;
    if (!isStuck) this.#countIdle(assembly, -1);
    assembly.isStuck = isStuck;
    if (isStuck) this.#countIdle(assembly, 1);
    measurements.halfPlaced += isStuck ? 1 : -1;
    if (isStuck) this.#everStuck.add(assembly.app);
    measurements.everHalfPlaced = this.#everStuck.size;
    const onNode = this.#stuck.get(assembly.node) ?? new Set();
    if (isStuck) this.#stuck.set(assembly.node, onNode.add(assembly));
    else onNode.delete(assembly);
  }
}
