// Pods with claims: which nodes their volumes allow, in kube-scheduler's words, and how they come to be bound there.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { NODES, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS } from '../../src/client/resources.ts';
import { createLocalProvisioner } from '../../src/controllers/volumes/local-provisioner.ts';
import { runVolumesController } from '../../src/controllers/volumes/volumes-controller.ts';
import type { PersistentVolume, PersistentVolumeClaim, Pod, StorageClass } from '../../src/kube/api-types.ts';
import type { StorageObject } from '../../src/scheduler/cluster-volumes.ts';
import { explain } from '../../src/scheduler/explain.ts';
import { remedyText } from '../../src/scheduler/remedy.ts';
import { runScheduler } from '../../src/scheduler/scheduler.ts';
import { apiRig } from '../lib/api-rig.ts';
import { eventually } from '../lib/engine.ts';
import { node, pod } from './small-cluster.ts';

const HOST = 'kubernetes.io/hostname';
const LATE: StorageClass = {
  metadata: { name: 'late' },
  provisioner: 'kubernetes.io/no-provisioner',
  volumeBindingMode: 'WaitForFirstConsumer',
};
const MADE: StorageClass = { ...LATE, metadata: { name: 'made' }, provisioner: 'podwright.dev/local' };
const AT_ONCE: StorageClass = {
  metadata: { name: 'at-once' },
  provisioner: 'x',
  volumeBindingMode: 'Immediate',
};
const CLASSES: readonly StorageObject[] = [LATE, MADE, AT_ONCE].map((object) => ({ kind: 'class', object }));

function claim(
  name: string,
  spec: PersistentVolumeClaim['spec'],
  more: PersistentVolumeClaim = {},
): StorageObject {
  const resources = { requests: { storage: '1Gi' } };
  return {
    kind: 'claim',
    object: {
      metadata: { name, namespace: 'default', uid: name, ...more.metadata },
      spec: { accessModes: ['ReadWriteOnce'], resources, ...spec },
      status: more.status ?? { phase: spec?.volumeName === undefined ? 'Pending' : 'Bound' },
    },
  };
}

function localVolume(name: string, on: string, spec: PersistentVolume['spec'] = {}): PersistentVolume {
  const matchExpressions = [{ key: HOST, operator: 'In', values: [on] }];
  return {
    metadata: { name },
    spec: {
      accessModes: ['ReadWriteOnce'],
      capacity: { storage: '1Gi' },
      storageClassName: 'late',
      local: { path: `/${name}` },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions }] } },
      ...spec,
    },
  };
}
const volume = (...of: Parameters<typeof localVolume>): StorageObject => ({
  kind: 'volume',
  object: localVolume(...of),
});

const using = (...claims: readonly string[]): Pod =>
  pod('app', ['1Mi'], {
    volumes: claims.map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } })),
  });

type Case = {
  readonly what: string;
  readonly storage: readonly StorageObject[];
  readonly pod?: Pod;
  readonly bound?: readonly Pod[];
  /** Nodes that fit, or what FailedScheduling says. */
  readonly expected: readonly string[] | string;
  readonly help?: string;
};

const UNHELPFUL = ' preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.';
const CASES: readonly Case[] = [
  {
    what: 'a volume of node b',
    storage: [claim('data', { volumeName: 'v' }), volume('v', 'b')],
    expected: ['b'],
  },
  {
    what: 'a claim that is not there',
    storage: [],
    expected: `0/2 nodes are available: persistentvolumeclaim "data" not found.${UNHELPFUL}`,
    help: 'the claim default/data is there and bound',
  },
  {
    what: 'a claim that is being deleted',
    storage: [claim('data', {}, { metadata: { deletionTimestamp: '2030-01-01T00:00:00Z' } })],
    expected: `0/2 nodes are available: persistentvolumeclaim "data" is being deleted.${UNHELPFUL}`,
  },
  {
    what: 'a claim whose volume is lost',
    storage: [claim('data', { volumeName: 'v' }, { status: { phase: 'Lost' } })],
    expected: `0/2 nodes are available: persistentvolumeclaim "data" bound to non-existent persistentvolume "v".${UNHELPFUL}`,
  },
  {
    what: 'a claim that is bound at once and is not bound yet',
    storage: [claim('data', { storageClassName: 'at-once' })],
    expected: `0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims.${UNHELPFUL}`,
  },
  {
    what: 'a volume that is on neither node',
    storage: [claim('data', { volumeName: 'v' }), volume('v', 'c')],
    expected: `0/2 nodes are available: 2 node(s) didn't match PersistentVolume's node affinity.${UNHELPFUL}`,
  },
  {
    what: 'waits for the first consumer: a free volume on b alone',
    storage: [claim('data', { storageClassName: 'late' }), volume('v', 'b')],
    expected: ['b'],
  },
  {
    what: 'waits for the first consumer: the only volume is too small',
    storage: [
      claim('data', { storageClassName: 'late' }),
      volume('v', 'b', { capacity: { storage: '1Mi' } }),
    ],
    expected: `0/2 nodes are available: 2 node(s) didn't find available persistent volumes to bind.${UNHELPFUL}`,
    help: 'a free PersistentVolume on the node that fits the claim default/data',
  },
  {
    what: 'two claims do not share one volume',
    storage: [
      claim('data', { storageClassName: 'late' }),
      claim('more', { storageClassName: 'late' }),
      volume('v', 'a'),
      volume('w', 'b'),
      volume('x', 'b'),
    ],
    pod: using('data', 'more'),
    expected: ['b'],
  },
  {
    what: 'a class that makes volumes serves every node',
    storage: [claim('data', { storageClassName: 'made' })],
    expected: ['a', 'b'],
  },
  {
    what: 'a node that was selected already',
    storage: [
      claim(
        'data',
        { storageClassName: 'made' },
        { metadata: { annotations: { 'volume.kubernetes.io/selected-node': 'b' } } },
      ),
    ],
    expected: ['b'],
  },
  {
    what: 'a volume that is reserved for the claim',
    storage: [
      claim('data', { storageClassName: 'late' }),
      volume('v', 'a', { claimRef: { namespace: 'default', name: 'data' } }),
      volume('w', 'b'),
    ],
    expected: ['a'],
  },
  {
    what: 'an ephemeral volume whose claim is still to be made',
    storage: [],
    pod: pod('app', ['1Mi'], {
      volumes: [{ name: 'scratch', ephemeral: { volumeClaimTemplate: { spec: {} } } }],
    }),
    expected: `0/2 nodes are available: waiting for ephemeral volume controller to create the persistentvolumeclaim "app-scratch".${UNHELPFUL}`,
  },
  {
    what: 'ReadWriteOncePod is for one pod in the cluster',
    storage: [claim('data', { volumeName: 'v', accessModes: ['ReadWriteOncePod'] }), volume('v', 'b')],
    bound: [
      {
        ...using('data'),
        metadata: { name: 'first', namespace: 'default', uid: 'first' },
        spec: { ...using('data').spec, containers: [], nodeName: 'b' },
      },
    ],
    expected:
      '0/2 nodes are available: 2 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod. preemption: 0/2 nodes are available: 1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling.',
  },
];

for (const { what, storage, pod: one = using('data'), bound = [], expected, help } of CASES)
  test(`volumes: ${what}`, () => {
    const snapshot = {
      nodes: [node('a'), node('b')],
      pods: bound,
      namespaces: [],
      storage: [...CLASSES, ...storage],
    };
    const { verdict, nodes } = explain(one, snapshot);
    const fitting = nodes.filter(({ fits }) => fits).map((each) => each.node);
    assert.equal(verdict.state, 'waiting');
    if (typeof expected === 'string')
      assert.equal(verdict.state === 'waiting' ? verdict.message : '', expected);
    else assert.deepEqual(fitting.sort(), expected);
    const [first] = nodes;
    if (help === undefined || first === undefined || first.fits) return;
    assert.deepEqual(
      first.remedies?.map((remedy) => remedyText(remedy, (uid) => uid)),
      [help],
    );
  });

test('a claim that waits is bound on the node that has its volume, before its pod is', async (t) => {
  const { server, dataDir } = await apiRig(t);
  const api = server.resources;
  const ended = new AbortController();
  const parts = { api, clock: systemClock(), log: silentLog };
  const provisioner = createLocalProvisioner(`${dataDir}/volumes`, ['a', 'b']);
  const running = [
    runScheduler(parts, ended.signal),
    runVolumesController({ ...parts, provisioner }, ended.signal),
  ];
  t.after(async () => {
    ended.abort();
    await Promise.all(running);
  });
  for (const one of [node('a'), node('b', { memory: '64Gi' })]) {
    const created = await api.create(NODES, { metadata: one.metadata });
    await api.update(NODES, { ...created, status: one.status }, { subresource: 'status' });
  }
  const resources = { requests: { storage: '1Gi' } };
  const make = (name: string, storageClassName: string) =>
    api.create(PERSISTENT_VOLUME_CLAIMS, {
      metadata: { name, namespace: 'default' },
      spec: { accessModes: ['ReadWriteOnce'], resources, storageClassName },
    });
  await api.create(PERSISTENT_VOLUMES, localVolume('disk', 'a', { storageClassName: 'local' }));
  await make('data', 'local');
  const podOf = (name: string, claimName: string): Pod => ({
    metadata: { name, namespace: 'default' },
    spec: {
      containers: [{ name: 'c', image: 'none' }],
      volumes: [{ name: 'v', persistentVolumeClaim: { claimName } }],
      nodeSelector: { [HOST]: name === 'on-a' ? 'a' : 'b' },
    },
  });
  const placed = (name: string) =>
    eventually(`${name} has a node`, async () => {
      const { spec } = await api.get(PODS, { namespace: 'default', name });
      return spec?.nodeName;
    });
  const volumeOf = async (name: string) => {
    const { spec } = await api.get(PERSISTENT_VOLUME_CLAIMS, { namespace: 'default', name });
    return api.get(PERSISTENT_VOLUMES, { name: spec?.volumeName ?? '' });
  };
  await api.create(PODS, podOf('on-a', 'data'));
  assert.equal(await placed('on-a'), 'a');
  assert.equal((await volumeOf('data')).metadata?.name, 'disk', 'the one that is there');
  await make('fresh', 'local');
  await api.create(PODS, podOf('on-b', 'fresh'));
  assert.equal(await placed('on-b'), 'b');
  const made = await volumeOf('fresh');
  const [required] = made.spec?.nodeAffinity?.required?.nodeSelectorTerms ?? [];
  assert.deepEqual(
    required?.matchExpressions,
    [{ key: HOST, operator: 'In', values: ['b'] }],
    'made for that node',
  );
});
