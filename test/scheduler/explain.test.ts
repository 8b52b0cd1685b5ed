// What is said of each node, what would help, and that it does: each remedy is carried out and the pod then fits.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { whyText } from '../../src/cli/why.ts';
import type { Node, Pod, PodSpec, Taint } from '../../src/kube/api-types.ts';
import { explain } from '../../src/scheduler/explain.ts';
import { amountText, type Remedy, remedyText } from '../../src/scheduler/remedy.ts';
import type { Snapshot } from '../../src/scheduler/snapshot.ts';
import { assertProperty } from '../lib/property.ts';
import { node, pod } from './small-cluster.ts';

const on = (nodeName: string, one: Pod): Pod => ({
  ...one,
  spec: { ...one.spec, containers: one.spec?.containers ?? [], nodeName },
});
const world = (nodes: readonly Node[], pods: readonly Pod[] = []): Snapshot => ({
  nodes,
  pods,
  namespaces: [{ metadata: { name: 'default' } }],
});
const text = (one: Pod, snapshot: Snapshot): string =>
  whyText(one.metadata?.name ?? '', explain(one, snapshot), (uid) => uid);

type Case = {
  readonly what: string;
  readonly pod: Pod;
  readonly nodes: readonly Node[];
  readonly bound?: readonly Pod[];
  readonly help: readonly string[];
};

const near = (app: string, kind: 'podAffinity' | 'podAntiAffinity'): Partial<PodSpec> => ({
  affinity: {
    [kind]: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app } } },
      ],
    },
  },
});
const port: Partial<PodSpec> = {
  containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 8080 }] }],
};

const CASES: readonly Case[] = [
  {
    what: 'room that others hold',
    pod: pod('app', ['1Gi', '512Mi']),
    nodes: [node('a', { memory: '2Gi' })],
    bound: [on('a', pod('other', ['1Gi']))],
    help: ['request 512Mi less of memory (1Gi is free), or pods leave that hold as much'],
  },
  {
    what: 'more than the node has',
    pod: pod('app', ['2Gi']),
    nodes: [node('a', { memory: '1250Mi' })],
    help: ['request at most 1250Mi of memory: the node has no more'],
  },
  {
    what: 'a resource that is not there, a full node and a cordon',
    pod: {
      ...pod('app'),
      spec: { containers: [{ name: 'c', resources: { requests: { 'example.com/gpu': '1' } } }] },
    },
    nodes: [node('a', { pods: '0', unschedulable: true })],
    help: ['uncordon the node', '1 pod fewer on the node', 'a node that has example.com/gpu at all'],
  },
  {
    what: 'taints and labels',
    pod: pod('app', ['1Mi'], { nodeSelector: { disk: 'ssd' } }),
    nodes: [
      node('a', {
        taints: [
          { key: 'gpu', value: 'yes', effect: 'NoSchedule' },
          { key: 'old', effect: 'NoExecute' },
        ],
      }),
    ],
    help: ['tolerate gpu=yes:NoSchedule', 'tolerate old:NoExecute', 'label the node disk=ssd'],
  },
  {
    what: 'the term of node affinity that needs least',
    pod: pod('app', ['1Mi'], {
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [
              {
                matchExpressions: [
                  { key: 'x', operator: 'Exists' },
                  { key: 'y', operator: 'Exists' },
                ],
              },
              { matchExpressions: [{ key: 'zone', operator: 'NotIn', values: ['west'] }] },
            ],
          },
        },
      },
    }),
    nodes: [node('a', { labels: { zone: 'west' } })],
    help: ['take the label zone off the node'],
  },
  {
    what: 'a host port',
    pod: pod('app', [], port),
    nodes: [node('a')],
    bound: [on('a', pod('holder', [], port))],
    help: ['holder leaves'],
  },
  {
    what: 'a pod to be near',
    pod: pod('app', ['1Mi'], near('web', 'podAffinity')),
    nodes: [node('a')],
    help: ['a pod with app=web comes to the same kubernetes.io/hostname'],
  },
  {
    what: 'pods to be away from, and that want to be away from this one',
    pod: pod('app', ['1Mi'], { ...near('web', 'podAntiAffinity'), labels: { app: 'x' } }),
    nodes: [node('a')],
    bound: [
      on('a', pod('web-1', ['1Mi'], { labels: { app: 'web' } })),
      on('a', pod('shy', ['1Mi'], near('x', 'podAntiAffinity'))),
    ],
    help: ['web-1, shy leave'],
  },
  {
    what: 'topology spread',
    pod: pod('app', ['1Mi'], {
      labels: { app: 'x' },
      topologySpreadConstraints: [
        {
          topologyKey: 'zone',
          maxSkew: 1,
          whenUnsatisfiable: 'DoNotSchedule',
          labelSelector: { matchLabels: { app: 'x' } },
        },
      ],
    }),
    nodes: [node('a', { labels: { zone: 'east' } }), node('b', { labels: { zone: 'west' }, memory: '0' })],
    bound: [on('a', pod('x1', ['1Mi'], { labels: { app: 'x' } }))],
    help: ['1 fewer of its kind in zone=east, or as many more where there are fewest'],
  },
];

for (const { what, pod: one, nodes, bound = [], help } of CASES)
  test(`what would help: ${what}`, () => {
    const explanation = explain(one, world(nodes, bound));
    const a = explanation.nodes.find(({ node: name }) => name === 'a');
    assert.ok(a !== undefined && !a.fits);
    assert.deepEqual(
      (a.remedies ?? []).map((remedy) => remedyText(remedy, (uid) => uid)),
      help,
    );
  });

test('the smallest change is the node that needs the fewest, and of those the least', () => {
  const nodes = [
    node('a', { memory: '1250Mi', taints: [{ key: 'k', effect: 'NoSchedule' }] }),
    node('b', { memory: '2Gi' }),
    node('c', { memory: '2Gi' }),
  ];
  const bound = [on('b', pod('x', ['1Gi'])), on('c', pod('y', ['768Mi']))];
  assert.equal(
    text(pod('app', ['1536Mi']), world(nodes, bound)),
    [
      'app waits for a node: 0/3 nodes are available: 1 node(s) had untolerated taint {k: }, 2 Insufficient memory. preemption: 0/3 nodes are available: 1 Preemption is not helpful for scheduling, 2 No preemption victims found for incoming pod.',
      'NODE   FITS   WHY                                                        WHAT WOULD HELP',
      'a      no     node(s) had untolerated taint {k: }, Insufficient memory   tolerate k:NoSchedule; and request at most 1250Mi of memory: the node has no more',
      'b      no     Insufficient memory                                        request 512Mi less of memory (1Gi is free), or pods leave that hold as much',
      'c      no     Insufficient memory                                        request 256Mi less of memory (1280Mi is free), or pods leave that hold as much',
      'smallest change, for node c: request 256Mi less of memory (1280Mi is free), or pods leave that hold as much',
    ].join('\n'),
  );
});

test('a pod that has its node: what spoke for it, without itself', () => {
  const one = on('b', pod('app', ['1Gi']));
  const said = text(one, world([node('a', { memory: '1Gi' }), node('b', { memory: '4Gi' })], [one]));
  assert.match(said, /^app is on node b, as it would choose among the nodes now:/);
  const [first, second] = said.split('\n').slice(2);
  assert.match(first ?? '', /^b +yes +score \d+: NodeResourcesFit \d+, NodeResourcesBalancedAllocation \d+/);
  assert.match(second ?? '', /^a +yes/);
});

test('gates, other schedulers, the end and no nodes', () => {
  const gated = pod('app', ['1Mi'], { schedulingGates: [{ name: 'example.com/wait' }] });
  assert.match(text(gated, world([node('a')])), /scheduling gates to be lifted: example.com\/wait/);
  assert.match(text(pod('app', ['1Mi'], { schedulerName: 'mine' }), world([])), /left to the scheduler mine/);
  assert.match(text(pod('app'), world([])), /no nodes available to schedule pods\nthere are no nodes/);
  const ended = { ...on('a', pod('app')), status: { phase: 'Succeeded' } };
  assert.match(text(ended, world([node('a')])), /^app has ended \(Succeeded\)/);
});

test('amounts are said as they are written', () => {
  const said = (resource: string, amount: number) => amountText(resource, amount);
  assert.deepEqual(
    [
      said('cpu', 1500),
      said('cpu', 2000),
      said('memory', 1250 * 2 ** 20),
      said('memory', 1000),
      said('example.com/gpu', 2),
    ],
    ['1500m', '2', '1250Mi', '1000', '2'],
  );
});

/** Carries out what is said of node a. */
function carriedOut(one: Pod, a: Node, pods: readonly Pod[], remedies: readonly Remedy[]) {
  let changed = { pod: one, node: a, pods };
  for (const remedy of remedies) {
    const { node: at, pod: wanting } = changed;
    switch (remedy.kind) {
      case 'uncordon':
        changed = { ...changed, node: { ...at, spec: { ...at.spec, unschedulable: false } } };
        break;
      case 'tolerate': {
        const taints = (at.spec?.taints ?? []).filter((taint: Taint) => taint !== remedy.taint);
        changed = { ...changed, node: { ...at, spec: { ...at.spec, taints } } };
        break;
      }
      case 'label': {
        const labels = Object.entries({ ...at.metadata?.labels, ...remedy.labels });
        const kept = Object.fromEntries(labels.filter(([, value]) => value !== null)) as Record<
          string,
          string
        >;
        changed = { ...changed, node: { ...at, metadata: { ...at.metadata, labels: kept } } };
        break;
      }
      case 'room': {
        const allocatable = { ...at.status?.allocatable };
        const before = remedy.resource === 'cpu' ? remedy.capacity / 1000 : remedy.capacity;
        const more = remedy.resource === 'cpu' ? remedy.missing / 1000 : remedy.missing;
        allocatable[remedy.resource] = String(before + more);
        changed = { ...changed, node: { ...at, status: { ...at.status, allocatable } } };
        break;
      }
      case 'leave':
        changed = {
          ...changed,
          pods: changed.pods.filter(({ metadata }) => !remedy.uids.includes(metadata?.uid ?? '')),
        };
        break;
      case 'come':
      case 'spread':
        changed = { ...changed, pod: { ...wanting, spec: { containers: wanting.spec?.containers ?? [] } } };
        break;
    }
  }
  return changed;
}

const anyNode = fc
  .record({
    memoryGi: fc.integer({ min: 0, max: 3 }),
    pods: fc.integer({ min: 0, max: 2 }),
    unschedulable: fc.boolean(),
    zone: fc.constantFrom('east', 'west', undefined),
    taints: fc.array(
      fc.record({
        key: fc.constantFrom('k', 'l'),
        effect: fc.constantFrom('NoSchedule', 'PreferNoSchedule'),
      }),
      { maxLength: 2 },
    ),
  })
  .map(({ memoryGi, pods, zone, unschedulable, taints }) =>
    node('a', {
      memory: `${memoryGi}Gi`,
      pods: String(pods),
      unschedulable,
      taints,
      labels: zone ? { zone } : {},
    }),
  );
const operator = fc.constantFrom('In', 'NotIn', 'Exists', 'DoesNotExist');
const anyPod = fc
  .record({
    memoryGi: fc.integer({ min: 1, max: 3 }),
    selector: fc.constantFrom(undefined, { disk: 'ssd' }, { zone: 'east' }),
    requirement: fc.option(fc.record({ key: fc.constantFrom('zone', 'disk'), operator }), { nil: undefined }),
    away: fc.boolean(),
    hasPort: fc.boolean(),
  })
  .map(({ memoryGi, selector, requirement, away, hasPort }): Pod => {
    const values = ['In', 'NotIn'].includes(requirement?.operator ?? '') ? { values: ['west', 'ssd'] } : {};
    const terms = [{ matchExpressions: [{ key: 'zone', operator: 'In', ...requirement, ...values }] }];
    const affinity = {
      ...(requirement && {
        nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } },
      }),
      ...(away ? near('x', 'podAntiAffinity').affinity : {}),
    };
    const one = pod('app', [`${memoryGi}Gi`], {
      affinity,
      labels: { app: 'x' },
      ...(selector && { nodeSelector: selector }),
    });
    const ports = hasPort ? [{ containerPort: 80, hostPort: 80 }] : [];
    const containers = (one.spec?.containers ?? []).map((container) => ({ ...container, ports }));
    return { ...one, spec: { ...one.spec, containers } };
  });

test('property: what is said to help does help', async () => {
  await assertProperty(
    fc.asyncProperty(anyPod, anyNode, fc.array(anyPod, { maxLength: 2 }), async (one, a, others) => {
      const pods = others.map((other, i) =>
        on('a', { ...other, metadata: { ...other.metadata, uid: `o${i}`, name: `o${i}` } }),
      );
      const [said] = explain(one, world([a], pods)).nodes;
      assert.ok(said !== undefined);
      if (said.fits || said.remedies === null) return;
      assert.notEqual(said.remedies.length, 0);
      const changed = carriedOut(one, a, pods, said.remedies);
      const [after] = explain(changed.pod, world([changed.node], changed.pods)).nodes;
      assert.equal(after?.fits, true, JSON.stringify([said, after]));
    }),
    { file: 'test/scheduler/explain.test.ts', numRuns: 500 },
  );
});
