// Kubernetes' way: the pod is the unit. The engine's own scheduling cycle, on virtual time.
import type { PlacedPod } from '../../scheduler/cluster.ts';
import { SchedulingCycle } from '../../scheduler/scheduling-cycle.ts';
import type { Strategy, World } from '../strategy.ts';
import type { App } from '../workload.ts';

export function podStrategy(world: World): Strategy {
  const { cluster, measurements } = world;
  const cycle = new SchedulingCycle(world.placement);
  const apps = new Map<string, App>();
  const placed = new Map<string, PlacedPod>();
  let wakeAtMs = Number.POSITIVE_INFINITY;

  const queue = (app: App): void => {
    apps.set(app.name, app);
    cycle.queue.add({ uid: app.name, podClass: app.shape.whole, addedMs: app.arriveMs, group: app.group });
  };

  const free = (name: string): void => {
    const held = placed.get(name);
    if (held === undefined) return;
    placed.delete(name);
    cluster.remove(held);
    cycle.notice({ kind: 'PodLeft', node: held.node }, world.nowMs());
  };

  const evict = ({ uid }: PlacedPod): void => {
    const app = apps.get(uid);
    if (app === undefined) return;
    measurements.evictions += 1;
    world.stopped(app);
    free(uid);
    queue(app);
  };

  const work = (): void => {
    for (;;) {
      const decision = cycle.next(world.nowMs());
      if (decision === undefined) break;
      measurements.decisions += 1;
      if (decision.kind === 'nominated') decision.victims.forEach(evict);
      if (decision.kind !== 'assigned') {
        measurements.retries += 1;
        continue;
      }
      for (const { pod, placed: held } of decision.assignments) {
        const app = apps.get(pod.uid);
        placed.set(pod.uid, held);
        if (app !== undefined) world.started(app);
      }
    }
    const nextMs = cycle.queue.nextReadyMs();
    if (nextMs === undefined || nextMs >= wakeAtMs) return;
    wakeAtMs = nextMs;
    world.after(nextMs - world.nowMs(), () => {
      wakeAtMs = Number.POSITIVE_INFINITY;
      work();
    });
  };

  return {
    arrive(app) {
      queue(app);
      work();
    },
    ended(app) {
      free(app.name);
      apps.delete(app.name);
      work();
    },
  };
}
