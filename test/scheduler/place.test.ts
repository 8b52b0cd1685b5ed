// Tables for the scheduler's decisions, in kube-scheduler's words.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Node, Pod } from '../../src/kube/api-types.ts';
import { effectiveRequests } from '../../src/kube/pod.ts';
import { ClusterState } from '../../src/scheduler/cluster-state.ts';
import { placePod } from '../../src/scheduler/place.ts';

type NodeSpec = { readonly memory: string; readonly cpu?: string; readonly pods?: string } & Partial<
  Pick<Node, 'spec'>
> & { readonly labels?: Record<string, string> };

function node(name: string, { memory, cpu = '4', pods = '110', spec, labels = {} }: NodeSpec): Node {
  return { metadata: { name, labels }, spec, status: { allocatable: { cpu, memory, pods } } };
}

function pod(name: string, memory: readonly string[], more: Partial<Pod['spec']> = {}): Pod {
  const containers = memory.map((amount, index) => ({
    name: `c${index}`,
    resources: { requests: { memory: amount } },
  }));
  return { metadata: { name, uid: name }, spec: { containers, ...more } };
}

function place(incoming: Pod, nodes: readonly Node[], bound: readonly Pod[] = []) {
  const state = new ClusterState();
  for (const one of nodes) state.setNode(one);
  for (const one of bound) state.setPod(one.metadata?.uid ?? '', one);
  return placePod(incoming, state.nodes());
}

test('a pod is placed whole: App and LogCollector go together to the node that has room for both', () => {
  const nodes = [node('node-a', { memory: '1280Mi' }), node('node-b', { memory: '2Gi' })];
  assert.deepEqual(place(pod('whole', ['1Gi', '512Mi']), nodes), { kind: 'placed', nodeName: 'node-b' });
});

const REFUSALS: readonly {
  readonly why: string;
  readonly pod: Pod;
  readonly nodes: readonly Node[];
  readonly message: string;
}[] = [
  { why: 'no node at all', pod: pod('p', ['1']), nodes: [], message: 'no nodes available to schedule pods' },
  {
    why: 'memory',
    pod: pod('p', ['3Gi']),
    nodes: [node('a', { memory: '1Gi' }), node('b', { memory: '2Gi' })],
    message: '0/2 nodes are available: 2 Insufficient memory.',
  },
  {
    why: 'cordoned',
    pod: pod('p', ['1Gi']),
    nodes: [node('a', { memory: '2Gi', spec: { unschedulable: true } })],
    message: '0/1 nodes are available: 1 node(s) were unschedulable.',
  },
  {
    why: 'a taint and a selector',
    pod: pod('p', ['1Gi'], { nodeSelector: { disk: 'ssd' } }),
    nodes: [
      node('a', { memory: '2Gi', spec: { taints: [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }] } }),
      node('b', { memory: '2Gi' }),
    ],
    message:
      "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated taint {gpu: yes}.",
  },
  {
    why: 'the number of pods',
    pod: pod('p', ['1Mi']),
    nodes: [node('a', { memory: '2Gi', pods: '0' })],
    message: '0/1 nodes are available: 1 Too many pods.',
  },
];

for (const refusal of REFUSALS) {
  test(`unschedulable: ${refusal.why}`, () => {
    assert.deepEqual(place(refusal.pod, refusal.nodes), { kind: 'unschedulable', message: refusal.message });
  });
}

test('a host port is taken per address and protocol', () => {
  const withPort = (name: string, hostIP?: string, protocol = 'TCP'): Pod => ({
    metadata: { name, uid: name },
    spec: {
      nodeName: 'a',
      containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 8080, hostIP, protocol }] }],
    },
  });
  const nodes = [node('a', { memory: '2Gi' })];
  const kindOf = (incoming: Pod, bound: Pod) => place(incoming, nodes, [bound]).kind;
  assert.equal(kindOf(withPort('p'), withPort('q')), 'unschedulable');
  assert.equal(kindOf(withPort('p', '127.0.0.1'), withPort('q')), 'unschedulable');
  assert.equal(kindOf(withPort('p', '127.0.0.1'), withPort('q', '127.0.0.2')), 'placed');
  assert.equal(kindOf(withPort('p', undefined, 'UDP'), withPort('q')), 'placed');
});

test('a taint is tolerated by key, value, effect and operator', () => {
  const tainted = [
    node('a', { memory: '2Gi', spec: { taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] } }),
  ];
  const kindOf = (toleration: object) =>
    place(pod('p', ['1Mi'], { tolerations: [toleration] }), tainted).kind;
  assert.equal(kindOf({ operator: 'Exists' }), 'placed');
  assert.equal(kindOf({ key: 'k', operator: 'Exists' }), 'placed');
  assert.equal(kindOf({ key: 'k', value: 'v', effect: 'NoSchedule' }), 'placed');
  assert.equal(kindOf({ key: 'k', value: 'other' }), 'unschedulable');
  assert.equal(kindOf({ key: 'k', operator: 'Exists', effect: 'NoExecute' }), 'unschedulable');
});

test('effective request: an init container may need more than the pod while it runs, sidecars count beside it', () => {
  const mi = (memory: string) => ({ requests: { memory } });
  const spec = {
    initContainers: [
      { name: 'before', resources: mi('300Mi') },
      { name: 'side', restartPolicy: 'Always', resources: mi('100Mi') },
      { name: 'after', resources: mi('350Mi') },
    ],
    containers: [{ name: 'app', resources: mi('200Mi') }],
    overhead: { memory: '10Mi' },
  };
  assert.equal(effectiveRequests(spec).memory, (450 + 10) * 1024 * 1024);
});

test('property: whatever comes and goes, the sums equal those of the pods that are there', () => {
  const step = fc.record({
    uid: fc.integer({ min: 0, max: 5 }),
    gone: fc.boolean(),
    mebi: fc.integer({ min: 0, max: 900 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const state = new ClusterState();
      state.setNode(node('a', { memory: '1Gi' }));
      const present = new Map<string, number>();
      for (const { uid, gone, mebi } of steps) {
        const name = `pod-${uid}`;
        if (gone) {
          state.removePod(name);
          present.delete(name);
        } else {
          state.setPod(name, pod(name, [`${mebi}Mi`], { nodeName: 'a' }));
          if (!present.has(name)) present.set(name, mebi);
        }
      }
      const sum = [...present.values()].reduce((total, mebi) => total + mebi, 0);
      const info = state.nodes()[0];
      assert.equal(info?.requested.memory ?? 0, sum * 1024 * 1024);
      assert.equal(info?.podCount, present.size);
    }),
  );
});
