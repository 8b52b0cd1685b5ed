// The fast scheduler against the plain one, on random clusters where pods of many kinds come and go: the same nodes fit,
// in the same order of merit, and the same one is chosen.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type {
  Affinity,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  PodAffinityTerm,
  TopologySpreadConstraint,
} from '../../src/kube/api-types.ts';
import { Cluster, type PlacedPod } from '../../src/scheduler/cluster.ts';
import { Placement } from '../../src/scheduler/placement.ts';
import { PodClasses } from '../../src/scheduler/pod-class.ts';
import { assertProperty } from '../lib/property.ts';
import { rank, type World } from './reference.ts';

const FILE = 'test/scheduler/against-reference.test.ts';
const NAMESPACES = { red: { team: 'a' }, blue: { team: 'b' } };
const HOST = 'kubernetes.io/hostname';
const KEYS = ['zone', HOST, 'rack'] as const;

const selector = fc.oneof(
  fc.constant({ matchLabels: { app: 'x' } }),
  fc.constant({ matchLabels: { app: 'y' } }),
  fc.constant({ matchExpressions: [{ key: 'app', operator: 'In', values: ['x', 'y'] }] }),
  fc.constant({ matchExpressions: [{ key: 'tier', operator: 'DoesNotExist' }] }),
  fc.constant({}),
);
const maybe = <T>(arbitrary: fc.Arbitrary<T>, weight = 2): fc.Arbitrary<T | undefined> =>
  fc.oneof({ arbitrary: fc.constant(undefined), weight }, { arbitrary, weight: 1 });
const term: fc.Arbitrary<PodAffinityTerm> = fc.record({
  topologyKey: fc.constantFrom(...KEYS),
  labelSelector: selector,
  namespaceSelector: maybe(fc.constantFrom({}, { matchLabels: { team: 'b' } })),
  namespaces: maybe(fc.constant(['blue'])),
});
const weighted = fc.record({ weight: fc.integer({ min: 1, max: 100 }), podAffinityTerm: term });
const podTerms = fc.record({
  requiredDuringSchedulingIgnoredDuringExecution: maybe(fc.array(term, { minLength: 1, maxLength: 2 })),
  preferredDuringSchedulingIgnoredDuringExecution: maybe(fc.array(weighted, { minLength: 1, maxLength: 2 })),
});
const nodeTerm = fc.record({
  matchExpressions: fc.array(
    fc.constantFrom(
      { key: 'zone', operator: 'In', values: ['z0', 'z1'] },
      { key: 'rack', operator: 'Exists' },
      { key: 'zone', operator: 'NotIn', values: ['z2'] },
    ),
    { minLength: 1, maxLength: 2 },
  ),
});
const nodeAffinity = fc.record({
  requiredDuringSchedulingIgnoredDuringExecution: maybe(
    fc.record({ nodeSelectorTerms: fc.array(nodeTerm, { minLength: 1, maxLength: 2 }) }),
  ),
  preferredDuringSchedulingIgnoredDuringExecution: maybe(
    fc.array(fc.record({ weight: fc.integer({ min: 1, max: 100 }), preference: nodeTerm }), { maxLength: 2 }),
  ),
});
const affinity: fc.Arbitrary<Affinity> = fc.record({
  nodeAffinity: maybe(nodeAffinity),
  podAffinity: maybe(podTerms),
  podAntiAffinity: maybe(podTerms),
});
const spread: fc.Arbitrary<TopologySpreadConstraint> = fc.record({
  topologyKey: fc.constantFrom(...KEYS),
  maxSkew: fc.integer({ min: 1, max: 2 }),
  whenUnsatisfiable: fc.constantFrom('DoNotSchedule', 'ScheduleAnyway'),
  labelSelector: selector,
  minDomains: maybe(fc.integer({ min: 1, max: 4 })),
  nodeAffinityPolicy: maybe(fc.constantFrom('Honor', 'Ignore')),
  nodeTaintsPolicy: maybe(fc.constantFrom('Honor', 'Ignore')),
});
const taint = fc.record({
  key: fc.constantFrom('k', 'm'),
  value: fc.constantFrom('v', 'w'),
  effect: fc.constantFrom('NoSchedule', 'NoExecute', 'PreferNoSchedule'),
});
const toleration = fc.constantFrom(
  { key: 'k', operator: 'Exists' },
  { key: 'm', value: 'v' },
  { operator: 'Exists', effect: 'PreferNoSchedule' },
  { key: 'k', value: 'w', effect: 'NoSchedule' },
);
const nodeShape = fc.record({
  zone: maybe(fc.constantFrom('z0', 'z1', 'z2'), 0),
  rack: maybe(fc.constantFrom('r0', 'r1')),
  cpu: fc.integer({ min: 0, max: 8 }),
  memoryGi: fc.integer({ min: 1, max: 8 }),
  pods: fc.integer({ min: 1, max: 6 }),
  gpus: maybe(fc.integer({ min: 0, max: 2 })),
  unschedulable: maybe(fc.constant(true), 6),
  taints: fc.array(taint, { maxLength: 2 }),
});
const requests = fc.record(
  {
    cpu: fc.constantFrom('100m', '500m', '1', '2'),
    memory: fc.constantFrom('100Mi', '1Gi', '2Gi'),
    'example.com/gpu': fc.constantFrom('1', '0'),
  },
  { requiredKeys: [] },
);
const container = fc.record({
  name: fc.constant('c'),
  resources: fc.record({ requests }),
  ports: maybe(fc.constant([{ containerPort: 80, hostPort: 8080 }]), 8),
});
/** Claims and volumes of each world: some bound, some late, one for a single pod, one that is not there. */
const CLAIMS = ['bound', 'late', 'later', 'single', 'at-once', 'absent'] as const;
const LATE = 'late';
const storageShape = fc.record({
  boundZone: fc.constantFrom('z0', 'z1'),
  freeZones: fc.array(fc.constantFrom('z0', 'z1', 'z2'), { maxLength: 3 }),
});

function storageOf({ boundZone, freeZones }: typeof storageShape extends fc.Arbitrary<infer T> ? T : never) {
  const volume = (name: string, zone: string, claimName?: string): PersistentVolume => {
    const matchExpressions = [{ key: 'zone', operator: 'In', values: [zone] }];
    return {
      metadata: { name },
      spec: {
        storageClassName: LATE,
        accessModes: ['ReadWriteOnce', 'ReadWriteOncePod'],
        capacity: { storage: '1Gi' },
        nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions }] } },
        ...(claimName === undefined ? {} : { claimRef: { namespace: 'red', name: claimName } }),
      },
    };
  };
  const volumes = [
    volume('v-bound', boundZone, 'bound'),
    volume('v-single', boundZone, 'single'),
    ...freeZones.map((zone, index) => volume(`v-${index}`, zone)),
  ];
  const claims = CLAIMS.filter((name) => name !== 'absent').map((name): PersistentVolumeClaim => {
    const isBound = name === 'bound' || name === 'single';
    return {
      metadata: { name, namespace: 'red' },
      spec: {
        accessModes: [name === 'single' ? 'ReadWriteOncePod' : 'ReadWriteOnce'],
        resources: { requests: { storage: '1Gi' } },
        storageClassName: name === 'at-once' ? name : LATE,
        ...(isBound ? { volumeName: `v-${name}` } : {}),
      },
      status: { phase: isBound ? 'Bound' : 'Pending' },
    };
  });
  return { volumes, claims };
}

const podShape = fc.record({
  namespace: fc.constantFrom('red', 'blue'),
  labels: fc.constantFrom({ app: 'x' }, { app: 'y' }, { app: 'x', tier: 'db' }),
  spec: fc.record({
    containers: fc.array(container, { minLength: 1, maxLength: 2 }),
    affinity: maybe(affinity, 1),
    topologySpreadConstraints: maybe(fc.array(spread, { minLength: 1, maxLength: 2 })),
    tolerations: fc.array(toleration, { maxLength: 2 }),
    nodeSelector: maybe(fc.constant({ zone: 'z0' }), 5),
    volumes: maybe(
      fc
        .uniqueArray(fc.constantFrom(...CLAIMS), { minLength: 1, maxLength: 2 })
        .map((names) =>
          names.map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } })),
        ),
    ),
  }),
});

type NodeShape = typeof nodeShape extends fc.Arbitrary<infer T> ? T : never;

function nodeOf({ zone, rack, ...shape }: NodeShape, index: number): Node {
  const name = `n${index}`;
  const labels = { [HOST]: name, ...(zone && { zone }), ...(rack && { rack }) };
  const { cpu, memoryGi, pods, gpus, unschedulable, taints } = shape;
  const gpu = gpus === undefined ? {} : { 'example.com/gpu': String(gpus) };
  return {
    metadata: { name, labels },
    spec: { unschedulable, taints },
    status: { allocatable: { cpu: String(cpu), memory: `${memoryGi}Gi`, pods: String(pods), ...gpu } },
  };
}

const action = fc.record({
  shape: fc.nat(5),
  kind: fc.constantFrom('add', 'add', 'add', 'add', 'remove', 'terminate', 'relabel'),
  pick: fc.nat(),
});

test('property: the fast scheduler agrees with the plain one on every decision', async () => {
  await assertProperty(
    fc.asyncProperty(
      fc.array(nodeShape, { minLength: 1, maxLength: 7 }),
      fc.array(podShape, { minLength: 6, maxLength: 6 }),
      fc.array(action, { minLength: 1, maxLength: 40 }),
      storageShape,
      async (nodeShapes, podShapes, actions, storageShape) => {
        const cluster = new Cluster();
        const placement = new Placement(cluster);
        const classes = new PodClasses();
        for (const [name, labels] of Object.entries(NAMESPACES)) cluster.setNamespace(name, labels);
        const { volumes, claims } = storageOf(storageShape);
        for (const object of volumes) cluster.volumes.set({ kind: 'volume', object });
        for (const object of claims) cluster.volumes.set({ kind: 'claim', object });
        const late = { metadata: { name: LATE }, provisioner: 'kubernetes.io/no-provisioner' };
        cluster.volumes.set({
          kind: 'class',
          object: { ...late, volumeBindingMode: 'WaitForFirstConsumer' },
        });
        let nodes = nodeShapes.map(nodeOf);
        for (const node of nodes) cluster.setNode(node);
        const bound = new Map<string, { pod: Pod; placed: PlacedPod }>();
        const world = (): World => ({
          nodes,
          bound: [...bound.values()].map(({ pod }) => pod),
          namespaces: NAMESPACES,
          volumes,
          claims,
          lateClasses: [LATE],
        });
        actions.forEach(({ shape, kind, pick }, step) => {
          const some = [...bound.keys()][pick % Math.max(1, bound.size)];
          const victim = some === undefined ? undefined : bound.get(some);
          if (kind === 'remove' && victim !== undefined && some !== undefined) {
            cluster.remove(victim.placed);
            bound.delete(some);
          } else if (kind === 'terminate' && victim !== undefined && some !== undefined) {
            cluster.setTerminating(victim.placed);
            const metadata = { ...victim.pod.metadata, deletionTimestamp: '2030-01-01T00:00:00Z' };
            bound.set(some, { ...victim, pod: { ...victim.pod, metadata } });
          } else if (kind === 'relabel') {
            const index = pick % nodes.length;
            const changed = nodeOf(nodeShapes[(pick + 1) % nodes.length] as NodeShape, index);
            nodes = nodes.with(index, changed);
            cluster.setNode(changed);
          } else if (kind === 'add') {
            const { namespace, labels, spec } = podShapes[shape] as (typeof podShapes)[number];
            const name = `p${step}`;
            const pod: Pod = { metadata: { name, namespace, labels }, spec };
            const podClass = classes.of(pod);
            const expected = rank(world(), pod);
            const ranking = placement.viewOf(podClass).ranking();
            assert.deepEqual(
              ranking.map(({ node }) => cluster.nodeName(node)),
              expected.map((one) => one.name),
            );
            const offset = (expected[0]?.score ?? 0) - (ranking[0]?.score ?? 0);
            // Scores that are the same everywhere are left out by the fast one: only distances matter.
            assert.deepEqual(
              ranking.map(({ score }) => score + offset),
              expected.map(({ score }) => score),
            );
            const node = placement.findNode(podClass);
            const best = Math.max(...expected.map(({ score }) => score));
            assert.equal(
              node < 0 ? undefined : cluster.nodeName(node),
              expected.find(({ score }) => score === best)?.name,
            );
            const view = placement.viewOf(podClass);
            nodes.forEach((_, i) => {
              assert.equal(
                view.fits(i),
                view.objection(i) === undefined,
                'reasons exactly where it does not fit',
              );
            });
            if (node < 0) return;
            const nodeName = cluster.nodeName(node);
            bound.set(name, {
              pod: { ...pod, spec: { ...spec, nodeName } },
              placed: cluster.place(podClass, name, node),
            });
          }
        });
      },
    ),
    { file: FILE, numRuns: 300 },
  );
});
