// Several schedulers on one cluster state, each with a profile of its own: they commit optimistically, the loser of a
// conflict plans anew, and whatever they do at once no node gets more than it has.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { figures } from '../../src/base/figures.ts';
import { silentLog } from '../../src/base/log.ts';
import { EVENTS, NODES, PODS } from '../../src/client/resources.ts';
import type { Pod } from '../../src/kube/api-types.ts';
import { runScheduler } from '../../src/scheduler/scheduler.ts';
import { apiRig } from '../lib/api-rig.ts';
import { eventually } from '../lib/engine.ts';

const NAMES = ['red', 'green', 'blue'];
const NODE_COUNT = 6;
const PODS_PER_NODE = 4;

const conflictsCounted = async (): Promise<number> => {
  const text = await figures.text('podwright_scheduler_binding_conflicts_total');
  return [...text.matchAll(/^podwright_scheduler_binding_conflicts_total\S* (\d+)/gm)].reduce(
    (sum, [, count]) => sum + Number(count),
    0,
  );
};

test('three schedulers fill a cluster to the last place; who loses plans anew, and the conflicts are counted', async (t) => {
  const { server } = await apiRig(t);
  const api = server.resources;
  for (let index = 0; index < NODE_COUNT; index += 1) {
    const created = await api.create(NODES, { metadata: { name: `n${index}` } });
    const status = { allocatable: { cpu: '8', memory: '8Gi', pods: String(PODS_PER_NODE) } };
    await api.update(NODES, { ...created, status }, { subresource: 'status' });
  }
  const ended = new AbortController();
  const running = NAMES.map((schedulerName) =>
    runScheduler({ api, clock: systemClock(), log: silentLog, profiles: [{ schedulerName }] }, ended.signal),
  );
  t.after(async () => {
    ended.abort();
    await Promise.all(running);
  });
  const before = await conflictsCounted();
  let most = 0;
  const count = NODE_COUNT * PODS_PER_NODE;
  const podOf = (index: number): Pod => ({
    metadata: { name: `p${index}`, namespace: 'default' },
    spec: {
      schedulerName: NAMES[index % NAMES.length],
      containers: [{ name: 'c', image: 'none', resources: { requests: { memory: '1Gi' } } }],
    },
  });
  await Promise.all(
    Array.from({ length: count + NAMES.length }, (_, index) => api.create(PODS, podOf(index))),
  );
  const placed = await eventually('every place is taken', async () => {
    const { items } = await api.list(PODS);
    const taken = items.filter(({ spec }) => spec?.nodeName);
    const perNode = Object.values(Object.groupBy(taken, ({ spec }) => spec?.nodeName ?? ''));
    most = Math.max(most, ...perNode.map((pods) => pods?.length ?? 0));
    return taken.length === count ? taken : undefined;
  });
  assert.equal(placed.length, count);
  assert.equal(most, PODS_PER_NODE, 'never more than the node has places');
  assert.ok((await conflictsCounted()) > before, 'equal schedulers want the same best node at once');

  // One too many of each: told so, by the scheduler whose they are.
  const refused = await eventually('the others are refused', async () => {
    const { items } = await api.list(EVENTS, { namespace: 'default' });
    const failed = items.filter(({ reason }) => reason === 'FailedScheduling');
    return failed.length >= NAMES.length ? failed : undefined;
  });
  assert.match(refused[0]?.message ?? '', /6 Too many pods/);
});
