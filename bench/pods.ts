// How long a pod takes: created through the API until a watcher sees all its containers running, and deleted with grace
// 0 until a watcher sees it gone; beside the bare floor and podman's `kube play` of the same pod.
import { existsSync } from 'node:fs';
import { PODS } from '../src/client/resources.ts';
import type { Pod } from '../src/kube/api-types.ts';
import { TestEngine } from '../test/lib/engine.ts';
import { podOf, shell } from '../test/lib/manifests.ts';
import { measureFloor } from './floor.ts';
import { measurePodman } from './podman.ts';
import { type Row, summarize } from './statistics.ts';

/** Runs that only warm up caches. */
const WARM_UP = 2;

/** The pod that all contestants run. */
export function benchPod(name: string, containers: number): Pod {
  const list = Array.from({ length: containers }, (_, index) => shell(`c${index}`, 'exec sleep 3600'));
  return podOf(name, list);
}

export type Samples = { readonly upMs: readonly number[]; readonly downMs: readonly number[] };

type Waiter = { readonly isReached: (pod: Pod, isGone: boolean) => boolean; readonly resolve: () => void };

async function measureEngine(n: number, containers: number): Promise<Samples> {
  const engine = new TestEngine();
  const done = new AbortController();
  const upMs: number[] = [];
  const downMs: number[] = [];
  try {
    await engine.start();
    await engine.loadImage('busybox');
    const { api } = engine;
    let waiter: Waiter | undefined;
    const { resourceVersion } = await api.list(PODS, { namespace: 'default' });
    const watching = (async () => {
      for await (const event of api.watch(PODS, {
        namespace: 'default',
        resourceVersion,
        signal: done.signal,
      })) {
        if (event.type === 'BOOKMARK') continue;
        if (waiter?.isReached(event.object, event.type === 'DELETED')) waiter.resolve();
      }
    })();
    const seen = (isReached: Waiter['isReached']): Promise<void> =>
      new Promise((resolve) => {
        waiter = { isReached, resolve };
      });
    for (let i = -WARM_UP; i < n; i++) {
      const name = `bench-${i + WARM_UP}`;
      const isIt = (pod: Pod): boolean => pod.metadata?.name === name;
      const isUp = (pod: Pod): boolean =>
        isIt(pod) &&
        (pod.status?.containerStatuses ?? []).filter(({ state }) => state?.running).length === containers;
      const startMs = performance.now();
      const up = seen(isUp);
      await api.create(PODS, benchPod(name, containers));
      await up;
      const upEndMs = performance.now();
      const gone = seen((pod, isGone) => isIt(pod) && isGone);
      await api.delete(PODS, { namespace: 'default', name }, { gracePeriodSeconds: 0 });
      await gone;
      if (i < 0) continue;
      upMs.push(upEndMs - startMs);
      downMs.push(performance.now() - upEndMs);
    }
    done.abort();
    await watching;
  } finally {
    done.abort();
    await engine.close();
  }
  return { upMs, downMs };
}

export async function benchPods(n: number): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const containers of [1, 2]) {
    const what = `pod with ${containers} container${containers === 1 ? '' : 's'}`;
    const floor = await measureFloor(n, containers);
    const engine = await measureEngine(n, containers);
    const podman = existsSync('/usr/bin/podman')
      ? await measurePodman(Math.min(n, 10), containers)
      : undefined;
    const phases = [
      ['create to running', (samples: Samples) => samples.upMs],
      ['delete', (samples: Samples) => samples.downMs],
    ] as const;
    for (const [phase, of] of phases) {
      const bare = summarize(of(floor));
      const against = { what: 'floor', p50: bare.p50 };
      rows.push({ what: `${what}, ${phase}: bare floor`, unit: 'ms', summary: bare });
      rows.push({
        what: `${what}, ${phase}: Podwright`,
        unit: 'ms',
        summary: summarize(of(engine)),
        against,
      });
      if (podman === undefined) continue;
      rows.push({
        what: `${what}, ${phase}: podman kube`,
        unit: 'ms',
        summary: summarize(of(podman)),
        against,
      });
    }
  }
  return rows;
}
