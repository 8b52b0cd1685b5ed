// One container at a time: the first goes where it fits best, the others must follow it to that node. Where they find no
// room, the application is half-placed and waits there, holding what it has.
import type { PodClass } from '../../scheduler/pod-class.ts';
import type { Strategy, World } from '../strategy.ts';
import type { App } from '../workload.ts';
import { Assemblies } from './assembly.ts';
import { FirstFitQueue } from './first-fit-queue.ts';

export const firstPart = ({ shape, name }: App): PodClass => {
  const [first] = shape.parts;
  if (first === undefined) throw new Error(`${name} has no containers`);
  return first;
};

export function taskStrategy(world: World): Strategy {
  const assemblies = new Assemblies(world);
  const queue = new FirstFitQueue(world, firstPart);

  const work = (): void => {
    for (let next = queue.next(); next !== undefined; next = queue.next()) {
      const { app, unit } = next;
      const node = world.placement.findNode(firstPart(app));
      if (node < 0) {
        queue.putAside(unit);
        continue;
      }
      queue.take(app);
      assemblies.grow(assemblies.begin(app, node));
    }
  };

  return {
    arrive(app) {
      queue.add(app);
      work();
    },
    ended(app) {
      const node = assemblies.release(app);
      if (node === undefined) return;
      assemblies.retryOn(node);
      queue.freed(node);
      work();
    },
  };
}
