// The strategies beside one another: the case of Node_A and Node_B, what must hold for each of them, and the same seed.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseManifest } from '../../src/kube/manifest.ts';
import type { Cluster, PlacedPod } from '../../src/scheduler/cluster.ts';
import { findCycle } from '../../src/simulator/deadlock.ts';
import { generatedWorkload } from '../../src/simulator/inputs/generator.ts';
import { manifestWorkload } from '../../src/simulator/inputs/manifests.ts';
import { type OpenbFile, openbWorkload } from '../../src/simulator/inputs/openb.ts';
import { repeatable } from '../../src/simulator/measurements.ts';
import { htmlReport } from '../../src/simulator/report/html.ts';
import { simulate } from '../../src/simulator/simulation.ts';
import { STRATEGIES, type StrategyName } from '../../src/simulator/strategy.ts';
import { Shapes, type Workload } from '../../src/simulator/workload.ts';
import { assertProperty } from '../lib/property.ts';

const FILE = 'test/simulator/simulator.test.ts';
const OPENB = join(import.meta.dirname, '../../../shared/data/openb');
const openb = (name: string): OpenbFile => ({ path: name, content: readFileSync(join(OPENB, name), 'utf8') });
const NODES = 'openb_node_list_all_node.csv';
const TASKS = 'openb_pod_list_default.csv';

const TWO_NODES = `
apiVersion: v1
kind: Node
metadata: {name: node-a}
status: {allocatable: {cpu: "4", memory: 1280Mi, pods: "10"}}
---
apiVersion: v1
kind: Node
metadata: {name: node-b}
status: {allocatable: {cpu: "1", memory: 2Gi, pods: "10"}}
---
apiVersion: v1
kind: Pod
metadata: {name: app}
spec:
  containers:
  - {name: app, resources: {requests: {cpu: 100m, memory: 1Gi}}}
  - {name: log-collector, resources: {requests: {cpu: 100m, memory: 512Mi}}}
`;
const fromText = (text: string): Workload => manifestWorkload(parseManifest(text, 'case.yaml'));

test('Node_A and Node_B: the pod is placed whole where its containers one by one end half-placed', async () => {
  const workload = fromText(TWO_NODES);
  // Packing takes the fullest node that fits, which is what makes the first container choose badly.
  const scoringStrategy = { type: 'MostAllocated', resources: [{ name: 'memory', weight: 1 }] } as const;
  const profile = { schedulerName: 'default-scheduler', scoringStrategy };
  const run = (strategy: StrategyName) => simulate(workload, { strategy, seed: 1, profile });
  const tasks = await run('task');
  assert.deepEqual([tasks.placed, tasks.halfPlaced, tasks.waitingAtEnd], [0, 1, 1]);
  for (const strategy of ['pod', 'optimistic', 'alloc'] as const) {
    const { placed, everHalfPlaced } = await run(strategy);
    assert.deepEqual([placed, everHalfPlaced], [1, 0], strategy);
  }
});

/** Two that need a quarter of the node and then three: once each has its quarter, neither gets the rest. */
function rivals(): Workload {
  const shapes = new Shapes();
  const shapeOf = (...sizes: readonly number[]) =>
    shapes.of({
      metadata: { namespace: 'd' },
      spec: {
        containers: sizes.map((gi, i) => ({ name: `c${i}`, resources: { requests: { memory: `${gi}Gi` } } })),
      },
    });
  const node = { metadata: { name: 'n' }, status: { allocatable: { cpu: '4', memory: '4Gi', pods: '10' } } };
  return {
    title: 'rivals',
    nodes: [node],
    namespaces: new Map(),
    gated: [],
    apps: [
      { name: 'short', arriveMs: 0, durationMs: 1000, shape: shapeOf(1) },
      { name: 'long', arriveMs: 0, durationMs: 2000, shape: shapeOf(2) },
      { name: 'r1', arriveMs: 100, durationMs: 5000, shape: shapeOf(1, 3) },
      { name: 'r2', arriveMs: 200, durationMs: 5000, shape: shapeOf(1, 3) },
    ],
  };
}

test('hoarding: two that hold what the other lacks are a deadlock, and the time-out breaks it', async () => {
  const workload = rivals();
  const hoard = await simulate(workload, { strategy: 'hoard', seed: 1, options: { hoardTimeoutMs: 60_000 } });
  assert.deepEqual([hoard.placed, hoard.everHalfPlaced], [4, 2]);
  assert.ok(hoard.deadlocks > 0);
  const task = await simulate(workload, { strategy: 'task', seed: 1 });
  assert.deepEqual([task.placed, task.halfPlaced], [2, 2], 'who never gives back waits for ever');
  const whole = await simulate(workload, { strategy: 'pod', seed: 1 });
  assert.deepEqual([whole.placed, whole.everHalfPlaced, whole.idleShare], [4, 0, 0]);
});

test('a cycle of the waits-for graph is found, a chain is none', () => {
  const edges: Record<string, readonly string[]> = { a: ['b'], b: ['c', 'd'], c: [], d: ['b'] };
  const of = (item: string) => edges[item] ?? [];
  assert.deepEqual(findCycle(['a', 'b', 'c', 'd'], of)?.toSorted(), ['b', 'd']);
  assert.equal(
    findCycle(['a', 'b'], (item) => (item === 'a' ? ['b'] : [])),
    undefined,
  );
});

test('optimistic: racing schedulers collide, a lone one never; all commits are serialisable', async () => {
  const workload = generatedWorkload({ nodes: 4, pods: 400, seed: 3, load: 1.5, meanDurationMs: 20_000 });
  const alone = await simulate(workload, { strategy: 'optimistic', seed: 1, options: { schedulers: 1 } });
  assert.equal(alone.placed, 400);
  const options = { schedulers: 8, decisionMsPerJob: 500 };
  for (const conflictDetection of ['fine', 'coarse'] as const) {
    for (const commits of ['all-or-nothing', 'incremental'] as const) {
      const many = await simulate(workload, {
        strategy: 'optimistic',
        seed: 1,
        options: { ...options, conflictDetection, commits },
      });
      assert.ok(many.conflicts > 0 && many.conflicts <= many.commits);
      assert.ok(many.placed + many.halfPlaced === 400, `${conflictDetection} ${commits}`);
    }
  }
});

/** Looks at the sums after everything that is placed or removed. */
function watchCapacity(cluster: Cluster): void {
  const node = cluster.nodes.keys();
  for (const index of node) {
    for (const name of ['cpu', 'memory']) {
      const { allocatable, requested } = cluster.resource(name);
      assert.ok(
        (requested[index] ?? 0) <= (allocatable[index] ?? 0),
        `${name} of node ${index} over capacity`,
      );
    }
    const uids = cluster.podsOn(index).map(({ uid }: PlacedPod) => uid);
    assert.equal(new Set(uids).size, uids.length, 'a pod twice');
  }
}

test('property: every strategy places whole what it says, keeps to capacity, and repeats by its seed', async () => {
  await assertProperty(
    fc.asyncProperty(
      fc.constantFrom(...STRATEGIES),
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 1, max: 60 }),
      fc.nat(1000),
      async (strategy, nodes, pods, seed) => {
        const workload = generatedWorkload({ nodes, pods, seed, load: 2, meanDurationMs: 10_000 });
        const { Cluster: Watched } = await import('../../src/scheduler/cluster.ts');
        const restore = Watched.prototype.restore;
        Watched.prototype.restore = function (placed) {
          restore.call(this, placed);
          watchCapacity(this);
        };
        try {
          const options = { strategy, seed, options: { hoardTimeoutMs: 30_000, envelopeMs: 5000 } };
          const first = await simulate(workload, options);
          const second = await simulate(workload, options);
          assert.deepEqual(repeatable(first), repeatable(second));
          assert.equal(first.placed + first.waitingAtEnd, first.apps);
          if (strategy === 'pod') assert.equal(first.placed, pods);
        } finally {
          Watched.prototype.restore = restore;
        }
      },
    ),
    { file: FILE, numRuns: 60 },
  );
});

test('the openb trace: all of it is placed, and hoarding on a small cluster deadlocks', async () => {
  const all = openbWorkload({
    nodes: openb(NODES),
    tasks: openb(TASKS),
    containers: 1,
    everyNode: 1,
    speedup: 1,
  });
  assert.deepEqual([all.nodes.length, all.apps.length], [1523, 8152]);
  assert.equal((await simulate(all, { strategy: 'pod', seed: 1 })).placed, 8152);
  const tight = openbWorkload({
    nodes: openb(NODES),
    tasks: openb('openb_pod_list_gpuspec33.csv'),
    containers: 3,
    everyNode: 10,
    speedup: 200,
  });
  const task = await simulate(tight, { strategy: 'task', seed: 1 });
  assert.ok(task.halfPlaced > 0 && task.everHalfPlaced > 100);
});

test('a pod larger than every node, and gates nobody lifts: a clear final state', async () => {
  const big = TWO_NODES.replace('memory: 1Gi', 'memory: 9Gi');
  const gated = `---
apiVersion: v1
kind: Pod
metadata: {name: gated}
spec: {schedulingGates: [{name: never}], containers: [{name: c}]}
`;
  const outcome = await simulate(fromText(big + gated), { strategy: 'pod', seed: 1 });
  assert.deepEqual(outcome.neverFit, ['default/app']);
  assert.deepEqual([outcome.placed, outcome.waitingAtEnd, outcome.gated], [0, 1, 1]);
});

test('a group that can never fit waits and holds nothing', async () => {
  const member = (name: string) => `---
apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  schedulingGroup: {podGroupName: gang}
  containers: [{name: c, resources: {requests: {memory: 1Gi}}}]
`;
  const nodes = TWO_NODES.split('---').slice(0, 2).join('---');
  const group = (minCount: number): string => `---
apiVersion: scheduling.k8s.io/v1alpha2
kind: PodGroup
metadata: {name: gang}
spec: {schedulingPolicy: {gang: {minCount: ${minCount}}}}
`;
  const members = ['a', 'b', 'c', 'd'].map(member).join('');
  const outcome = await simulate(fromText(nodes + group(3) + members), { strategy: 'pod', seed: 1 });
  assert.equal(outcome.placed, 3, 'minCount of the four fit');
  const never = await simulate(fromText(nodes + group(4) + members), { strategy: 'pod', seed: 1 });
  assert.deepEqual([never.placed, never.waitingAtEnd, never.utilization.memory], [0, 4, 0]);
  assert.throws(() => fromText(nodes + members), { message: /pod group "gang" to appear/ });
});

test('an aborted simulation gives what there is', async () => {
  const workload = generatedWorkload({
    nodes: 50,
    pods: 100_000,
    seed: 1,
    load: 0.5,
    meanDurationMs: 60_000,
  });
  const stop = new AbortController();
  const onProgress = (): void => stop.abort();
  const outcome = await simulate(workload, { strategy: 'pod', seed: 1, onProgress }, stop.signal);
  assert.equal(outcome.isInterrupted, true);
  assert.ok(outcome.placed > 0 && outcome.placed < 100_000);
});

test('the report is one file that loads nothing', async () => {
  const workload = fromText(TWO_NODES);
  const outcomes = [await simulate(workload, { strategy: 'pod', seed: 1 })];
  const html = htmlReport({ title: '<two> nodes', seed: 1, outcomes, conflicts: [] });
  assert.match(html, /&lt;two&gt; nodes/);
  assert.doesNotMatch(html.replaceAll('http://www.w3.org/2000/svg', ''), /https?:|<script|<link|<img/);
  assert.doesNotMatch(html, /NaN|undefined|Infinity/);
});

const TASK_HEADER = readFileSync(join(OPENB, TASKS), 'utf8').split('\n')[0];
const task = (over: Readonly<Record<string, string>>): string => {
  const values: Record<string, string> = {
    name: 't1',
    cpu_milli: '1000',
    memory_mib: '10',
    num_gpu: '1',
    gpu_milli: '500',
    gpu_spec: '',
    qos: 'LS',
    pod_phase: 'Running',
    creation_time: '0',
    deletion_time: '10',
    scheduled_time: '0',
    ...over,
  };
  return `${TASK_HEADER}\n${(TASK_HEADER ?? '')
    .split(',')
    .map((column) => values[column])
    .join(',')}\n`;
};
const BAD: readonly {
  readonly why: string;
  readonly nodes?: string;
  readonly tasks: string;
  readonly error: RegExp;
}[] = [
  {
    why: 'missing columns',
    tasks: 'name,cpu_milli\nt,1\n',
    error: /tasks\.csv:1: columns memory_mib, .* missing/,
  },
  { why: 'a negative value', tasks: task({ cpu_milli: '-1' }), error: /tasks\.csv:2: cpu_milli is "-1"/ },
  { why: 'no number', tasks: task({ memory_mib: 'much' }), error: /tasks\.csv:2: memory_mib is "much"/ },
  {
    why: 'an unknown GPU',
    tasks: task({ gpu_spec: 'X9' }),
    error: /tasks\.csv:2: no node has a GPU of type X9; there are T4/,
  },
  {
    why: 'a name twice',
    tasks: task({}) + task({}).split('\n')[1],
    error: /tasks\.csv:3: t1 is also in tasks\.csv:2/,
  },
  {
    why: 'an end before the start',
    tasks: task({ scheduled_time: '20' }),
    error: /tasks\.csv:2: deletion_time 10 is before 20/,
  },
  { why: 'a torn line', tasks: `${task({})}t2,1\n`, error: /tasks\.csv:3: 2 values for 11 columns/ },
];

for (const { why, tasks, error } of BAD) {
  test(`bad input: ${why}`, () => {
    const nodes = { path: 'nodes.csv', content: 'sn,cpu_milli,memory_mib,gpu,model\nn1,1000,1000,1,T4\n' };
    const options = {
      nodes,
      tasks: { path: 'tasks.csv', content: tasks },
      containers: 1,
      everyNode: 1,
      speedup: 1,
    };
    assert.throws(() => openbWorkload(options), { code: 'InvalidInput', message: error });
  });
}
