// The engine's scheduler on a real API server without an agent: pods are bound, refused, gated, grouped and preempted
// through the API alone.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import type { ResourceApi } from '../../src/client/resource-api.ts';
import { BINDINGS, EVENTS, NODES, POD_GROUPS, PODS, PRIORITY_CLASSES } from '../../src/client/resources.ts';
import type { Node, Pod, PodGroup, PodSpec } from '../../src/kube/api-types.ts';
import { runScheduler } from '../../src/scheduler/scheduler.ts';
import { apiRig } from '../lib/api-rig.ts';

async function clusterOf(t: TestContext, memory: Readonly<Record<string, string>>): Promise<ResourceApi> {
  const { server } = await apiRig(t);
  const api = server.resources;
  const ended = new AbortController();
  const running = runScheduler({ api, clock: systemClock(), log: silentLog }, ended.signal);
  t.after(async () => {
    ended.abort();
    await running;
  });
  for (const [name, amount] of Object.entries(memory)) {
    const node: Node = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels: { 'kubernetes.io/hostname': name } },
    };
    const created = await api.create(NODES, node);
    const status = { allocatable: { cpu: '4', memory: amount, pods: '20' } };
    await api.update(NODES, { ...created, status }, { subresource: 'status' });
  }
  return api;
}

const podOf = (name: string, memory: readonly string[], more: Partial<PodSpec> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: memory.map((amount, i) => ({
      name: `c${i}`,
      image: 'none',
      resources: { requests: { memory: amount } },
    })),
    ...more,
  },
});

async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + 5000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`);
    await sleep(10);
  }
}

const get = (api: ResourceApi, name: string): Promise<Pod> => api.get(PODS, { namespace: 'default', name });
const nodeOf = (api: ResourceApi, name: string): Promise<string> =>
  until(`${name} has a node`, async () => (await get(api, name)).spec?.nodeName);
const scheduled = (pod: Pod) => pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
const refusalOf = (api: ResourceApi, name: string) =>
  until(`${name} is refused`, async () => {
    const condition = scheduled(await get(api, name));
    return condition?.status === 'False' ? condition : undefined;
  });

test('Node_A and Node_B: two pods one by one leave one Pending, the pod placed whole fits', async (t) => {
  const apart = await clusterOf(t, { 'node-a': '1280Mi', 'node-b': '900Mi' });
  await apart.create(PODS, podOf('app', ['1Gi']));
  assert.equal(await nodeOf(apart, 'app'), 'node-a');
  await apart.create(PODS, podOf('log-collector', ['950Mi']));
  const refusal = await refusalOf(apart, 'log-collector');
  assert.equal(refusal.reason, 'Unschedulable');
  assert.equal(
    refusal.message,
    '0/2 nodes are available: 2 Insufficient memory. preemption: 0/2 nodes are available: 1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling.',
  );
  const { items } = await until('the event', async () => {
    const list = await apart.list(EVENTS, { namespace: 'default' });
    return list.items.some(({ reason }) => reason === 'FailedScheduling') ? list : undefined;
  });
  assert.ok(
    items.some(({ reason, message }) => reason === 'FailedScheduling' && message === refusal.message),
  );

  await apart.delete(PODS, { namespace: 'default', name: 'app' }, { gracePeriodSeconds: 0 });
  assert.equal(await nodeOf(apart, 'log-collector'), 'node-a', 'room that came back is found');
});

test('gates hold a pod until they are lifted', async (t) => {
  const api = await clusterOf(t, { a: '1Gi' });
  await api.create(PODS, podOf('gated', ['1Mi'], { schedulingGates: [{ name: 'wait' }] }));
  assert.equal((await refusalOf(api, 'gated')).reason, 'SchedulingGated');
  const patch = { type: 'application/merge-patch+json', body: { spec: { schedulingGates: null } } } as const;
  await api.patch(PODS, { namespace: 'default', name: 'gated' }, patch);
  assert.equal(await nodeOf(api, 'gated'), 'a');
});

const gang = (name: string, minCount: number): PodGroup => ({
  metadata: { name, namespace: 'default' },
  spec: { schedulingPolicy: { gang: { minCount } } },
});
const inGroup = (podGroupName: string): Partial<PodSpec> => ({ schedulingGroup: { podGroupName } });
const groupCondition = (api: ResourceApi, name: string, status: string) =>
  until(`${name} is ${status}`, async () => {
    const { status: of } = await api.get(POD_GROUPS, { namespace: 'default', name });
    return of?.conditions?.find((one) => one.type === 'PodGroupScheduled' && one.status === status);
  });

test('a group waits for its PodGroup, for enough of its pods, for room for them together; then it is bound whole', async (t) => {
  const api = await clusterOf(t, { a: '1Gi' });
  await api.create(PODS, podOf('g1', ['600Mi'], inGroup('gang')));
  assert.equal(
    (await refusalOf(api, 'g1')).message,
    'waiting for pods\'s pod group "gang" to appear in scheduling queue',
  );
  await api.create(POD_GROUPS, gang('gang', 2));
  await until('g1 waits for the others', async () =>
    scheduled(await get(api, 'g1'))?.message?.startsWith('waiting for minCount pods') ? true : undefined,
  );
  await api.create(PODS, podOf('g2', ['600Mi'], inGroup('gang')));
  assert.match((await groupCondition(api, 'gang', 'False')).message, /1 of at least 2 pods fit together/);
  assert.equal((await get(api, 'g2')).spec?.nodeName, undefined);
  await api.create(NODES, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'b' } });
  const allocatable = { cpu: '4', memory: '1Gi', pods: '20' };
  const patch = { type: 'application/merge-patch+json', body: { status: { allocatable } } } as const;
  await api.patch(NODES, { name: 'b' }, patch, { subresource: 'status' });
  assert.deepEqual([await nodeOf(api, 'g1'), await nodeOf(api, 'g2')].sort(), ['a', 'b']);
  await groupCondition(api, 'gang', 'True');
});

test('the pods of a group with the basic policy are placed one by one', async (t) => {
  const api = await clusterOf(t, { a: '1Gi' });
  await api.create(POD_GROUPS, {
    metadata: { name: 'loose', namespace: 'default' },
    spec: { schedulingPolicy: { basic: {} } },
  });
  await api.create(PODS, podOf('l1', ['600Mi'], inGroup('loose')));
  await api.create(PODS, podOf('l2', ['600Mi'], inGroup('loose')));
  assert.equal(await nodeOf(api, 'l1'), 'a');
  assert.match((await refusalOf(api, 'l2')).message ?? '', /Insufficient memory/);
});

test('a pod of higher priority takes the place of a lower one', async (t) => {
  const api = await clusterOf(t, { a: '1Gi' });
  await api.create(PRIORITY_CLASSES, { metadata: { name: 'important' }, value: 100 });
  await api.create(PODS, podOf('low', ['1Gi']));
  await nodeOf(api, 'low');
  await api.create(PODS, podOf('high', ['1Gi'], { priorityClassName: 'important' }));
  assert.equal(await nodeOf(api, 'high'), 'a');
  await assert.rejects(get(api, 'low'), { code: 'NotFound' });
});

test('what somebody else binds is left alone, and its room is taken', async (t) => {
  const api = await clusterOf(t, { a: '1Gi' });
  const other = await api.create(PODS, podOf('other', ['1Gi'], { schedulerName: 'other' }));
  await api.create(PODS, podOf('ours', ['1Mi']));
  await nodeOf(api, 'ours');
  assert.equal((await get(api, 'other')).spec?.nodeName, undefined);
  await api.delete(PODS, { namespace: 'default', name: 'ours' }, { gracePeriodSeconds: 0 });
  const { name, uid } = other.metadata ?? {};
  const target = { apiVersion: 'v1', kind: 'Node', name: 'a' };
  await api.create(
    BINDINGS,
    { metadata: { name, namespace: 'default', uid }, target },
    { subresource: 'binding' },
  );
  await api.create(PODS, podOf('late', ['1Gi']));
  assert.equal(
    (await refusalOf(api, 'late')).message,
    '0/1 nodes are available: 1 Insufficient memory. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.',
  );
});
