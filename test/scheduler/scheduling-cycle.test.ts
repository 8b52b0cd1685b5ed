// The queue, groups and preemption: stories, and what must hold whatever happens.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { PlacedPod } from '../../src/scheduler/cluster.ts';
import { assertProperty } from '../lib/property.ts';
import { node, pod, smallCluster } from './small-cluster.ts';

const FILE = 'test/scheduler/scheduling-cycle.test.ts';

test('higher priority goes first, then age', () => {
  const { cycle, queue } = smallCluster([node('a')]);
  queue(pod('young'), 2);
  queue(pod('old'), 1);
  queue(pod('important', ['1Mi'], { priority: 10 }), 3);
  const order: string[] = [];
  for (let next = cycle.next(5); next !== undefined; next = cycle.next(5))
    if (next.kind === 'assigned') order.push(...next.assignments.map((one) => one.pod.uid));
  assert.deepEqual(order, ['important', 'old', 'young']);
});

test('a pod that fits nowhere waits for what could help it, and backs off when it comes early', () => {
  const { cycle, queue, bind, cluster } = smallCluster([node('a', { memory: '1Gi' })]);
  const blocker = bind(pod('blocker', ['1Gi'], { nodeName: 'a' }));
  queue(pod('p', ['512Mi']));
  assert.equal(cycle.next(0)?.kind, 'unschedulable');
  cycle.notice({ kind: 'PodPlaced', node: 0 }, 100);
  assert.equal(cycle.queue.stateOf('p'), 'unschedulable', 'a pod that comes frees nothing');
  cycle.notice({ kind: 'PodLeft', node: 0 }, 100);
  assert.equal(cycle.queue.stateOf('p'), 'unschedulable', 'the node still has no room');
  cluster.remove(blocker);
  cycle.notice({ kind: 'PodLeft', node: 0 }, 100);
  assert.equal(cycle.queue.stateOf('p'), 'backoff');
  assert.equal(cycle.next(999), undefined);
  assert.equal(cycle.next(1000)?.kind, 'assigned');
});

test('of equal pods one is tried for all, and its success calls the next', () => {
  const { cycle, queue, cluster, bind } = smallCluster([node('a', { memory: '1Gi' })]);
  const blocker = bind(pod('blocker', ['1Gi'], { nodeName: 'a' }));
  for (const name of ['p1', 'p2', 'p3']) queue(pod(name, ['512Mi']));
  for (let i = 0; i < 3; i += 1) assert.equal(cycle.next(0)?.kind, 'unschedulable');
  cluster.remove(blocker);
  cycle.notice({ kind: 'PodLeft', node: 0 }, 5000);
  const kinds = [
    cycle.next(5000)?.kind,
    cycle.next(5000)?.kind,
    cycle.next(5000)?.kind,
    cycle.next(5000)?.kind,
  ];
  assert.deepEqual(kinds, ['assigned', 'assigned', 'unschedulable', undefined]);
});

test('a group is placed whole or not at all, and says how many fit', () => {
  const { cycle, queue, cluster } = smallCluster([node('a', { memory: '1Gi' })]);
  const group = { name: 'default/gang', needed: 3 };
  queue(pod('g1', ['512Mi']), 0, group);
  queue(pod('g2', ['512Mi']), 0, group);
  assert.equal(cycle.next(0), undefined, 'incomplete: gated');
  queue(pod('g3', ['512Mi']), 0, group);
  const refused = cycle.next(0);
  assert.equal(refused?.kind, 'unschedulable');
  assert.match(
    refused?.kind === 'unschedulable' ? refused.message() : '',
    /2 of at least 3 pods fit together/,
  );
  assert.equal(cluster.podsOn(0).length, 0, 'nothing is held');
  const index = cluster.setNode(node('b', { memory: '1Gi' }));
  cycle.notice({ kind: 'NodeAdded', node: index }, 9000);
  const placed = cycle.next(9000);
  assert.equal(placed?.kind === 'assigned' ? placed.assignments.length : 0, 3);
});

test('preemption: the fewest and least important go, the node is kept free, others do not slip in', () => {
  const { cycle, queue, cluster, bind } = smallCluster([
    node('a', { memory: '2Gi' }),
    node('b', { memory: '2Gi' }),
  ]);
  bind(pod('a-high', ['1Gi'], { nodeName: 'a', priority: 5 }));
  bind(pod('a-high2', ['1Gi'], { nodeName: 'a', priority: 5 }));
  const low = bind(pod('b-low', ['1Gi'], { nodeName: 'b', priority: 1 }));
  bind(pod('b-mid', ['1Gi'], { nodeName: 'b', priority: 3 }));
  queue(pod('urgent', ['1Gi'], { priority: 10 }));
  const decision = cycle.next(0);
  assert.equal(decision?.kind, 'nominated');
  if (decision?.kind !== 'nominated') return;
  assert.deepEqual(
    decision.victims.map(({ uid }) => uid),
    ['b-low'],
  );
  cluster.setTerminating(low);
  cluster.remove(low);
  queue(pod('thief', ['1Gi'], { priority: 2 }), 0);
  cycle.notice({ kind: 'PodLeft', node: 1 }, 2000);
  const outcomes = [cycle.next(2000), cycle.next(2000)];
  assert.equal(outcomes[0]?.kind === 'assigned' && outcomes[0].assignments[0]?.pod.uid, 'urgent');
  assert.equal(outcomes[1]?.kind, 'unschedulable');
});

test('preemptionPolicy Never waits', () => {
  const { cycle, queue, bind } = smallCluster([node('a', { memory: '1Gi' })]);
  bind(pod('low', ['1Gi'], { nodeName: 'a' }));
  queue(pod('patient', ['1Gi'], { priority: 10, preemptionPolicy: 'Never' }));
  assert.equal(cycle.next(0)?.kind, 'unschedulable');
});

const step = fc.oneof(
  fc.record({
    kind: fc.constant('add' as const),
    memory: fc.constantFrom('256Mi', '512Mi', '1Gi'),
    priority: fc.constantFrom(0, 0, 0, 5),
    group: fc.option(fc.nat(2), { nil: undefined }),
  }),
  fc.record({ kind: fc.constant('leave' as const), pick: fc.nat() }),
  fc.record({ kind: fc.constant('schedule' as const), times: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ kind: fc.constant('gone' as const), pick: fc.nat() }),
);

test('property: no node over its capacity, no pod twice, no group in part, nothing waits that fits', async () => {
  await assertProperty(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 80 }), async (steps) => {
      const { cycle, queue, cluster } = smallCluster([
        node('a', { memory: '2Gi' }),
        node('b', { memory: '1Gi' }),
      ]);
      const placed = new Map<string, PlacedPod>();
      const waiting = new Set<string>();
      let nowMs = 0;
      let added = 0;
      const leave = (uid: string): void => {
        const one = placed.get(uid);
        if (one === undefined) return;
        placed.delete(uid);
        cluster.remove(one);
        cycle.notice({ kind: 'PodLeft', node: one.node }, nowMs);
      };
      const decide = (): boolean => {
        const decision = cycle.next(nowMs);
        if (decision?.kind === 'nominated') for (const { uid } of decision.victims) leave(uid);
        if (decision?.kind !== 'assigned') return decision !== undefined;
        const groups = decision.assignments.flatMap(({ pod: one }) => one.group ?? []);
        if (groups.length > 0) assert.ok(groups.length >= (groups[0]?.needed ?? 0), 'a group in part');
        for (const { pod: one, placed: where } of decision.assignments) {
          assert.equal(placed.has(one.uid), false, 'placed twice');
          placed.set(one.uid, where);
          waiting.delete(one.uid);
        }
        return true;
      };
      for (const one of steps) {
        nowMs += 20_000;
        if (one.kind === 'add') {
          added += 1;
          const name = one.group === undefined ? undefined : `g${one.group}-${Math.floor(added / 10)}`;
          const group = name === undefined ? undefined : { name, needed: 2 };
          waiting.add(`p${added}`);
          queue(
            pod(`p${added}`, [one.memory], { priority: name === undefined ? one.priority : 0 }),
            nowMs,
            group,
          );
        } else if (one.kind === 'leave') leave([...placed.keys()][one.pick % Math.max(1, placed.size)] ?? '');
        else if (one.kind === 'gone') {
          const uid = [...waiting][one.pick % Math.max(1, waiting.size)] ?? '';
          waiting.delete(uid);
          cycle.forget(uid);
        } else for (let i = 0; i < one.times; i += 1) decide();
        for (const index of [0, 1]) {
          const held = [...placed.values()].filter(({ node: at }) => at === index);
          const memory = held.reduce((sum, { podClass }) => sum + (podClass.requests.memory ?? 0), 0);
          assert.ok(memory <= (index === 0 ? 2 : 1) * 2 ** 30, 'over capacity');
        }
        assert.equal(cycle.queue.size, waiting.size);
      }
      // At rest, nobody waits who would fit alone.
      for (let i = 0; i < 500; i += 1) {
        nowMs += 20_000;
        if (!decide()) break;
      }
      for (const unit of cycle.queue.waiting()) {
        const [first] = unit.pods.values();
        if (first === undefined || first.group !== undefined) continue;
        assert.equal(cycle.placement.findNode(first.podClass), -1, `${first.uid} waits but fits`);
      }
    }),
    { file: FILE, numRuns: 400 },
  );
});
