// Borg's way: an application reserves an envelope on one node and its containers run inside. The envelope outlives them
// for a while, so that the next application of the same kind starts at once; until then what it holds is idle.
// https://research.google/pubs/large-scale-cluster-management-at-google-with-borg/
import type { PlacedPod } from '../../scheduler/cluster.ts';
import type { PodClass } from '../../scheduler/pod-class.ts';
import type { Strategy, World } from '../strategy.ts';
import type { App } from '../workload.ts';
import { FirstFitQueue } from './first-fit-queue.ts';

type Envelope = { readonly placed: PlacedPod; lastUse: number };

export function allocStrategy(world: World): Strategy {
  const { cluster, measurements, options, placement } = world;
  const queue = new FirstFitQueue(world, ({ shape }) => shape.whole);
  const running = new Map<App, Envelope>();
  const empty = new Map<PodClass, Envelope[]>();
  let uses = 0;

  const cpuOf = ({ placed }: Envelope): number => placed.podClass.requests.cpu ?? 0;

  const takeEmpty = (podClass: PodClass): Envelope | undefined => {
    const envelope = empty.get(podClass)?.pop();
    if (envelope !== undefined) measurements.idleCpuMilli -= cpuOf(envelope);
    return envelope;
  };

  const reserve = (app: App): Envelope | undefined => {
    const reused = takeEmpty(app.shape.whole);
    if (reused !== undefined) return reused;
    const node = placement.findNode(app.shape.whole);
    if (node < 0) return undefined;
    return { placed: cluster.place(app.shape.whole, app.name, node), lastUse: 0 };
  };

  const work = (): void => {
    for (let next = queue.next(); next !== undefined; next = queue.next()) {
      const { app, unit } = next;
      measurements.decisions += 1;
      const envelope = reserve(app);
      if (envelope === undefined) {
        queue.putAside(unit);
        continue;
      }
      queue.take(app);
      uses += 1;
      envelope.lastUse = uses;
      running.set(app, envelope);
      world.started(app);
    }
  };

  const expire = (podClass: PodClass, envelope: Envelope, use: number): void => {
    const waiting = empty.get(podClass) ?? [];
    const at = waiting.indexOf(envelope);
    if (envelope.lastUse !== use || at < 0) return;
    waiting.splice(at, 1);
    measurements.idleCpuMilli -= cpuOf(envelope);
    cluster.remove(envelope.placed);
    queue.freed(envelope.placed.node);
    work();
  };

  return {
    arrive(app) {
      queue.add(app);
      work();
    },
    ended(app) {
      const envelope = running.get(app);
      if (envelope === undefined) return;
      running.delete(app);
      const { whole } = app.shape;
      empty.set(whole, [...(empty.get(whole) ?? []), envelope]);
      measurements.idleCpuMilli += cpuOf(envelope);
      const use = envelope.lastUse;
      world.after(options.envelopeMs, () => expire(whole, envelope, use));
      queue.wakeNext(whole);
      work();
    },
  };
}
