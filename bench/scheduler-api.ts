// The basic case of the scheduler end to end: pods are created through the API and followed until they are bound, with
// 5,000 nodes; every create and every binding is on disk before it is answered. In one process, without HTTP or an agent.
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createApiServer } from '../src/apiserver/apiserver.ts';
import { systemClock } from '../src/base/clock.ts';
import { silentLog } from '../src/base/log.ts';
import { runInformer } from '../src/client/informer.ts';
import type { KubeObject, ResourceApi } from '../src/client/resource-api.ts';
import { NODES, PODS } from '../src/client/resources.ts';
import type { Pod } from '../src/kube/api-types.ts';
import { runScheduler } from '../src/scheduler/scheduler.ts';
import { openStore } from '../src/store/store.ts';
import { type Row, summarize } from './statistics.ts';

const NODE_COUNT = 5000;
const BATCH = 500;

async function makeNodes(api: ResourceApi): Promise<void> {
  const status = { allocatable: { cpu: '32', memory: '128Gi', pods: '110' } };
  await Promise.all(
    Array.from({ length: NODE_COUNT }, async (_, index) => {
      const name = `node-${index}`;
      const made = await api.create(NODES, {
        metadata: { name, labels: { 'kubernetes.io/hostname': name } },
      });
      await api.update(NODES, { ...made, status }, { subresource: 'status' });
    }),
  );
}

const podOf = (name: string): Pod => ({
  metadata: { name, namespace: 'default' },
  spec: {
    containers: [{ name: 'c', image: 'none', resources: { requests: { cpu: '100m', memory: '500Mi' } } }],
  },
});

/** Pods per second from the first create until the last is seen bound, batch by batch. */
async function measure(api: ResourceApi, n: number, signal: AbortSignal): Promise<readonly number[]> {
  let bound = 0;
  let wanted = 0;
  let reached = (): void => {};
  const seen = new Set<string>();
  const handlers = {
    onObject: ({ metadata, spec }: Pod): void => {
      if (!spec?.nodeName || seen.has(metadata?.uid ?? '')) return;
      seen.add(metadata?.uid ?? '');
      bound += 1;
      if (bound === wanted) reached();
    },
    onDelete: (): void => {},
    onSynced: (): void => {},
  };
  void runInformer({ api, ref: PODS, handlers, log: silentLog }, signal);
  const rates: number[] = [];
  // The first batch warms up.
  for (let batch = 0; batch <= n; batch += 1) {
    const all = new Promise<void>((resolve) => {
      reached = resolve;
    });
    wanted += BATCH;
    const startMs = performance.now();
    await Promise.all(Array.from({ length: BATCH }, (_, i) => api.create(PODS, podOf(`pod-${batch}-${i}`))));
    await all;
    if (batch > 0) rates.push((1000 * BATCH) / (performance.now() - startMs));
  }
  return rates;
}

export async function benchSchedulerApi(n: number): Promise<Row> {
  const dir = await mkdtemp('/var/tmp/podwright-bench-');
  const store = await openStore<KubeObject>({ path: join(dir, 'store') });
  const clock = systemClock();
  const nodeApi = () => undefined;
  const server = await createApiServer({ store, clock, log: silentLog, nodeApi, dataDir: dir });
  const ended = new AbortController();
  try {
    await makeNodes(server.resources);
    const running = runScheduler({ api: server.resources, clock, log: silentLog }, ended.signal);
    const rates = await measure(server.resources, Math.min(n, 10), ended.signal);
    ended.abort();
    await running;
    return {
      what: `${NODE_COUNT} nodes, basic, create to bound through the API, on disk`,
      unit: 'pods/s',
      summary: summarize(rates),
    };
  } finally {
    ended.abort();
    await server.close();
    await store.close();
    await rm(dir, { recursive: true });
  }
}
