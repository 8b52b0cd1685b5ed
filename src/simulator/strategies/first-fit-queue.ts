// A queue of applications by one of their classes, tried again as soon as a node has room for that class: the part of the
// scheduling queue that the other strategies share. No back-off: a retry that would fail is not made.
import type { PodClass } from '../../scheduler/pod-class.ts';
import { SchedulingQueue, type Unit } from '../../scheduler/queue.ts';
import type { World } from '../strategy.ts';
import type { App } from '../workload.ts';

const NOBODY: ReadonlySet<never> = new Set();

export class FirstFitQueue {
  readonly #world: World;
  readonly #classOf: (app: App) => PodClass;
  readonly #queue = new SchedulingQueue();
  readonly #apps = new Map<string, App>();

  constructor(world: World, classOf: (app: App) => PodClass) {
    this.#world = world;
    this.#classOf = classOf;
  }

  add(app: App): void {
    this.#apps.set(app.name, app);
    this.#queue.add({ uid: app.name, podClass: this.#classOf(app), addedMs: app.arriveMs });
  }

  /** The next to try; it must be taken or put aside. */
  next(): { readonly app: App; readonly unit: Unit } | undefined {
    const unit = this.#queue.pop(Number.POSITIVE_INFINITY);
    const app = unit && this.#apps.get(unit.id);
    return unit === undefined || app === undefined ? undefined : { app, unit };
  }

  /** It found a place: the next of its kind may as well. */
  take(app: App): void {
    this.#apps.delete(app.name);
    this.#queue.remove(app.name, 'placed');
    this.#queue.wakeNext(this.#classOf(app));
  }

  /** No node has room. */
  putAside(unit: Unit): void {
    this.#world.measurements.retries += 1;
    this.#queue.park(unit, NOBODY, 0);
  }

  /** A node got room back. */
  freed(node: number): void {
    this.#queue.wake(({ podClass }) => {
      const view = this.#world.placement.viewOf(podClass);
      view.refresh();
      return view.fits(node);
    }, Number.POSITIVE_INFINITY);
  }

  wakeNext(podClass: PodClass): void {
    this.#queue.wakeNext(podClass);
  }
}
