// Tables for the plug-ins, in kube-scheduler's words and numbers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node, Pod, PodSpec } from '../../src/kube/api-types.ts';
import { effectiveRequests } from '../../src/kube/pod.ts';
import type { PluginName } from '../../src/scheduler/plugin-name.ts';
import { DEFAULT_SCHEDULER_NAME, type Profile, type ScoringStrategy } from '../../src/scheduler/profile.ts';
import { node, pod, smallCluster } from './small-cluster.ts';

test('a pod is placed whole: App and LogCollector go together to the node that has room for both', () => {
  const nodes = [node('node-a', { memory: '1280Mi' }), node('node-b', { memory: '2Gi' })];
  assert.equal(smallCluster(nodes).where(pod('whole', ['1Gi', '512Mi'])), 'node-b');
});

const app = { matchLabels: { app: 'web' } };
const zone = (name: string, value: string): Node => node(name, { labels: { zone: value } });
const web = (name: string, nodeName: string, more: Partial<PodSpec> = {}): Pod =>
  pod(name, ['1Mi'], { labels: { app: 'web' }, nodeName, ...more });
const anti = {
  requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'zone', labelSelector: app }],
};

type Case = {
  readonly why: string;
  readonly nodes: readonly Node[];
  readonly bound?: readonly Pod[];
  readonly pod: Pod;
  readonly expected: string;
};

const CASES: readonly Case[] = [
  { why: 'no node at all', nodes: [], pod: pod('p'), expected: 'no nodes available to schedule pods' },
  {
    why: 'memory',
    nodes: [node('a', { memory: '1Gi' }), node('b', { memory: '2Gi' })],
    pod: pod('p', ['3Gi']),
    expected: '0/2 nodes are available: 2 Insufficient memory.',
  },
  {
    why: 'an extended resource',
    nodes: [node('a', { extended: { 'example.com/gpu': '1' } }), node('b')],
    pod: pod('p', [], {
      containers: [{ name: 'c', resources: { requests: { 'example.com/gpu': '2' } } }],
    }),
    expected: '0/2 nodes are available: 2 Insufficient example.com/gpu.',
  },
  {
    why: 'cordoned',
    nodes: [node('a', { unschedulable: true })],
    pod: pod('p'),
    expected: '0/1 nodes are available: 1 node(s) were unschedulable.',
  },
  {
    why: 'the first plug-in speaks for a node',
    nodes: [node('a', { taints: [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }] }), node('b')],
    pod: pod('p', ['1Mi'], { nodeSelector: { disk: 'ssd' } }),
    expected:
      "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated taint {gpu: yes}.",
  },
  {
    why: 'the number of pods',
    nodes: [node('a', { pods: '0' })],
    pod: pod('p'),
    expected: '0/1 nodes are available: 1 Too many pods.',
  },
  {
    why: 'a node by name',
    nodes: [node('a'), node('b')],
    pod: pod('p', ['1Mi'], { nodeName: 'b' }),
    expected: 'b',
  },
  {
    why: 'anti-affinity of the pod itself',
    nodes: [zone('a', 'z1'), zone('b', 'z1'), zone('c', 'z2')],
    bound: [web('w', 'a')],
    pod: pod('p', ['1Mi'], { affinity: { podAntiAffinity: anti } }),
    expected: 'c',
  },
  {
    why: 'anti-affinity of a pod that is there',
    nodes: [zone('a', 'z1'), zone('b', 'z1')],
    bound: [pod('grumpy', ['1Mi'], { nodeName: 'a', affinity: { podAntiAffinity: anti } })],
    pod: pod('p', ['1Mi'], { labels: { app: 'web' } }),
    expected: "0/2 nodes are available: 2 node(s) didn't satisfy existing pods anti-affinity rules.",
  },
  {
    why: 'affinity to nobody that is there',
    nodes: [zone('a', 'z1')],
    pod: pod('p', ['1Mi'], { affinity: { podAffinity: anti } }),
    expected: "0/1 nodes are available: 1 node(s) didn't match pod affinity rules.",
  },
  {
    why: 'affinity to its own kind, as the first',
    nodes: [node('bare'), zone('a', 'z1')],
    pod: pod('p', ['1Mi'], { labels: { app: 'web' }, affinity: { podAffinity: anti } }),
    expected: 'a',
  },
  {
    why: 'spread: the skew would grow',
    nodes: [zone('a', 'z1'), zone('b', 'z2')],
    bound: [web('w', 'a')],
    pod: pod('p', ['1Mi'], {
      labels: { app: 'web' },
      topologySpreadConstraints: [
        { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector: app },
      ],
    }),
    expected: 'b',
  },
  {
    why: 'spread: fewer domains than minDomains count as an empty one',
    nodes: [zone('a', 'z1'), node('bare')],
    bound: [web('w', 'a')],
    pod: pod('p', ['1Mi'], {
      labels: { app: 'web' },
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          minDomains: 2,
          topologyKey: 'zone',
          whenUnsatisfiable: 'DoNotSchedule',
          labelSelector: app,
        },
      ],
    }),
    expected:
      "0/2 nodes are available: 1 node(s) didn't match pod topology spread constraints, 1 node(s) didn't match pod topology spread constraints (missing required label).",
  },
];

for (const { why, nodes, bound = [], pod: incoming, expected } of CASES) {
  test(`filter: ${why}`, () => {
    const small = smallCluster(nodes);
    for (const one of bound) small.bind(one);
    assert.equal(small.where(incoming), expected);
  });
}

test('a host port is taken per address and protocol', () => {
  const withPort = (name: string, hostIP?: string, protocol = 'TCP'): Pod =>
    pod(name, [], {
      nodeName: 'a',
      containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 8080, hostIP, protocol }] }],
    });
  const fits = (incoming: Pod, bound: Pod): boolean => {
    const small = smallCluster([node('a')]);
    small.bind(bound);
    return small.where(incoming) === 'a';
  };
  assert.equal(fits(withPort('p'), withPort('q')), false);
  assert.equal(fits(withPort('p', '127.0.0.1'), withPort('q')), false);
  assert.equal(fits(withPort('p', '127.0.0.1'), withPort('q', '127.0.0.2')), true);
  assert.equal(fits(withPort('p', undefined, 'UDP'), withPort('q')), true);
});

test('a taint is tolerated by key, value, effect and operator', () => {
  const small = smallCluster([node('a', { taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] })]);
  const fits = (toleration: object): boolean =>
    small.where(pod('p', ['1Mi'], { tolerations: [toleration] })) === 'a';
  assert.equal(fits({ operator: 'Exists' }), true);
  assert.equal(fits({ key: 'k', operator: 'Exists' }), true);
  assert.equal(fits({ key: 'k', value: 'v', effect: 'NoSchedule' }), true);
  assert.equal(fits({ key: 'k', value: 'other' }), false);
  assert.equal(fits({ key: 'k', operator: 'Exists', effect: 'NoExecute' }), false);
});

test('effective request: init containers peak, sidecars stay, overhead and pod-level resources count', () => {
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
  assert.equal(effectiveRequests({ ...spec, resources: mi('1Gi') }).memory, (1024 + 10) * 1024 * 1024);
});

/** A profile in which one plug-in alone scores. */
function only(name: PluginName, scoringStrategy?: ScoringStrategy): Profile {
  const zero = { TaintToleration: 0, NodeAffinity: 0, PodTopologySpread: 0, InterPodAffinity: 0 };
  const others = { NodeResourcesFit: 0, NodeResourcesBalancedAllocation: 0, ImageLocality: 0 };
  return {
    schedulerName: DEFAULT_SCHEDULER_NAME,
    weights: { ...zero, ...others, [name]: 1 },
    scoringStrategy,
  };
}

const resources = [
  { name: 'cpu', weight: 1 },
  { name: 'memory', weight: 1 },
];
const asking = (cpu: string, memory: string): Pod =>
  pod('p', [], { containers: [{ name: 'c', resources: { requests: { cpu, memory } } }] });
const half = [node('half', { cpu: '2', memory: '4Gi' }), node('whole', { cpu: '4', memory: '4Gi' })];

const SCORES: readonly {
  readonly why: string;
  readonly profile: Profile;
  readonly nodes: readonly Node[];
  readonly pod: Pod;
  readonly expected: Readonly<Record<string, number>>;
}[] = [
  {
    why: 'LeastAllocated: the mean of the free shares',
    profile: only('NodeResourcesFit'),
    nodes: half,
    pod: asking('1', '1Gi'),
    expected: { half: 62, whole: 75 },
  },
  {
    why: 'LeastAllocated assumes 100m and 200Mi of a pod that asks for nothing',
    profile: only('NodeResourcesFit'),
    nodes: [node('a', { cpu: '1', memory: '1000Mi' })],
    pod: pod('p', [], { containers: [{ name: 'c' }] }),
    expected: { a: 85 },
  },
  {
    why: 'MostAllocated: the mean of the used shares',
    profile: only('NodeResourcesFit', { type: 'MostAllocated', resources }),
    nodes: half,
    pod: asking('1', '1Gi'),
    expected: { half: 37, whole: 25 },
  },
  {
    why: 'RequestedToCapacityRatio: along the shape',
    profile: only('NodeResourcesFit', {
      type: 'RequestedToCapacityRatio',
      resources: [{ name: 'cpu', weight: 1 }],
      shape: [
        { utilization: 0, score: 0 },
        { utilization: 50, score: 10 },
        { utilization: 100, score: 0 },
      ],
    }),
    nodes: half,
    pod: asking('1', '1Gi'),
    expected: { half: 100, whole: 50 },
  },
  {
    why: 'BalancedAllocation: half the distance between the shares',
    profile: only('NodeResourcesBalancedAllocation'),
    nodes: half,
    pod: asking('2', '2Gi'),
    expected: { half: 75, whole: 100 },
  },
  {
    why: 'ImageLocality: by size and by how many nodes have it',
    profile: only('ImageLocality'),
    nodes: [node('has', { images: [{ names: ['big:latest'], sizeBytes: 1023 * 2 ** 21 }] }), node('bare')],
    pod: pod('p', [], { containers: [{ name: 'c', image: 'big' }] }),
    expected: { has: 100, bare: 0 },
  },
  {
    why: 'TaintToleration: fewest that say PreferNoSchedule',
    profile: only('TaintToleration'),
    nodes: [node('soft', { taints: [{ key: 'k', effect: 'PreferNoSchedule' }] }), node('clean')],
    pod: pod('p'),
    expected: { soft: 0, clean: 100 },
  },
];

for (const { why, profile, nodes, pod: incoming, expected } of SCORES) {
  test(`score: ${why}`, () => {
    assert.deepEqual(smallCluster(nodes, [profile]).scores(incoming), expected);
  });
}
