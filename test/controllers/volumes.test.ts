// The plan for claims and volumes: tables for each step, and laws that hold whatever comes in which order.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ClusterVolumes } from '../../src/controllers/volumes/cluster-volumes.ts';
import { createLocalProvisioner } from '../../src/controllers/volumes/local-provisioner.ts';
import {
  PROVISIONED_BY,
  PROVISIONER,
  planVolumes,
  type VolumeStep,
} from '../../src/controllers/volumes/plan-volumes.ts';
import type {
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  StorageClass,
} from '../../src/kube/api-types.ts';
import { matchVolume } from '../../src/kube/match-volume.ts';
import { assertProperty } from '../lib/property.ts';

type Objects = {
  readonly claims?: readonly PersistentVolumeClaim[];
  readonly volumes?: readonly PersistentVolume[];
  readonly classes?: readonly StorageClass[];
  readonly pods?: readonly Pod[];
  readonly nodes?: readonly Node[];
};

const byKey = <T extends { readonly metadata?: Pod['metadata'] }>(list: readonly T[] = []): Map<string, T> =>
  new Map(list.map((one) => [`${one.metadata?.namespace ?? ''}/${one.metadata?.name}`, one]));

function clusterOf({ claims, volumes, classes, pods, nodes }: Objects): ClusterVolumes {
  return {
    claims: byKey(claims),
    volumes: byKey(volumes),
    classes: byKey(classes),
    pods: byKey(pods),
    nodes: byKey(nodes),
  };
}

const LOCAL: StorageClass = {
  metadata: { name: 'local', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
  provisioner: PROVISIONER,
  volumeBindingMode: 'WaitForFirstConsumer',
};
const IMMEDIATE: StorageClass = {
  metadata: { name: 'now' },
  provisioner: PROVISIONER,
  volumeBindingMode: 'Immediate',
};
const FOREIGN: StorageClass = { metadata: { name: 'foreign' }, provisioner: 'example.com/disks' };

function claimOf(
  name: string,
  spec: PersistentVolumeClaim['spec'] = {},
  more: PersistentVolumeClaim = {},
): PersistentVolumeClaim {
  const resources = { requests: { storage: '1Gi' } };
  return {
    metadata: {
      name,
      namespace: 'ns',
      uid: `uid-${name}`,
      finalizers: ['kubernetes.io/pvc-protection'],
      ...more.metadata,
    },
    spec: { accessModes: ['ReadWriteOnce'], resources, ...spec },
    status: more.status ?? { phase: 'Pending' },
  };
}

function volumeOf(
  name: string,
  spec: PersistentVolume['spec'] = {},
  more: PersistentVolume = {},
): PersistentVolume {
  return {
    metadata: { name, uid: `uid-${name}`, finalizers: ['kubernetes.io/pv-protection'], ...more.metadata },
    spec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, hostPath: { path: '/x' }, ...spec },
    status: more.status ?? { phase: 'Available' },
  };
}

function userOf(claimName: string, nodeName?: string): Pod {
  const volumes = [{ name: 'v', persistentVolumeClaim: { claimName } }];
  return {
    metadata: { name: `user-of-${claimName}`, namespace: 'ns', uid: `pod-${claimName}` },
    spec: { containers: [], volumes, ...(nodeName === undefined ? {} : { nodeName }) },
  };
}

const refTo = (name: string, uid?: string) => ({
  namespace: 'ns',
  name,
  ...(uid === undefined ? {} : { uid }),
});
const deleted = { deletionTimestamp: '2026-01-01T00:00:00Z' };

/** "updateVolume disk" and the like; of what is told, the reason. */
function stepText(step: VolumeStep): string {
  const object = 'volume' in step ? step.volume : step.claim;
  const extra =
    step.kind === 'tell' ? ` ${step.reason}` : step.kind === 'finalizeVolume' ? ` ${step.data}` : '';
  return `${step.kind} ${object.metadata?.name}${extra}`;
}

test('a claim gets its volume on the node that was chosen for its first consumer', () => {
  const HOST = 'kubernetes.io/hostname';
  const nodes = ['a', 'b'].map((name): Node => ({ metadata: { name, labels: { [HOST]: name } } }));
  const on = (name: string): PersistentVolume => {
    const matchExpressions = [{ key: HOST, operator: 'In', values: [name] }];
    const nodeAffinity = { required: { nodeSelectorTerms: [{ matchExpressions }] } };
    return volumeOf(`on-${name}`, { nodeAffinity, storageClassName: 'local' });
  };
  const chosen = { metadata: { annotations: { 'volume.kubernetes.io/selected-node': 'b' } } };
  const claim = (more: PersistentVolumeClaim = {}) => {
    const made = claimOf('data', { storageClassName: 'local' });
    return { ...made, metadata: { ...made.metadata, ...more.metadata } };
  };
  const first = (objects: Objects): VolumeStep | undefined =>
    planVolumes(clusterOf({ classes: [LOCAL], nodes, ...objects }))[0];
  assert.equal(first({ claims: [claim()], volumes: [on('a'), on('b')] })?.kind, 'tell', 'nobody uses it yet');
  for (const objects of [{ claims: [claim(chosen)] }, { claims: [claim()], pods: [userOf('data', 'b')] }]) {
    const step = first({ ...objects, volumes: [on('a'), on('b')] });
    assert.equal(step === undefined ? '' : stepText(step), 'updateVolume on-b');
    const made = first({ ...objects, volumes: [on('a')] });
    assert.deepEqual(made?.kind === 'provision' ? made.node : made, 'b');
  }
});

test('the next step of each state', () => {
  const bound = { status: { phase: 'Bound' } };
  const named = { volumeName: 'disk', storageClassName: '' };
  const disk = (spec: PersistentVolume['spec'] = {}, more: PersistentVolume = {}) =>
    volumeOf('disk', spec, more);
  const taken = { claimRef: refTo('a', 'uid-a') };
  const ours = { metadata: { annotations: { [PROVISIONED_BY]: PROVISIONER } } };
  const dynamic = { ...taken, persistentVolumeReclaimPolicy: 'Delete' };
  const table: readonly (readonly [string, Objects, readonly string[]])[] = [
    ['the default class is set', { claims: [claimOf('a')], classes: [LOCAL] }, ['updateClaim a']],
    ['no class at all', { claims: [claimOf('a')] }, ['tell a FailedBinding']],
    [
      'a class that is not there',
      { claims: [claimOf('a', { storageClassName: 'x' })] },
      ['tell a ProvisioningFailed'],
    ],
    [
      'another provisioner',
      { claims: [claimOf('a', { storageClassName: 'foreign' })], classes: [FOREIGN] },
      ['tell a ExternalProvisioning'],
    ],
    [
      'at once',
      { claims: [claimOf('a', { storageClassName: 'now' })], classes: [IMMEDIATE] },
      ['provision a'],
    ],
    [
      'nobody uses it',
      { claims: [claimOf('a', { storageClassName: 'local' })], classes: [LOCAL] },
      ['tell a WaitForFirstConsumer'],
    ],
    [
      'its pod has no node yet',
      { claims: [claimOf('a', { storageClassName: 'local' })], classes: [LOCAL], pods: [userOf('a')] },
      ['tell a WaitForFirstConsumer'],
    ],
    [
      'its pod has a node',
      { claims: [claimOf('a', { storageClassName: 'local' })], classes: [LOCAL], pods: [userOf('a', 'n')] },
      ['provision a'],
    ],
    [
      'a volume fits',
      { claims: [claimOf('a', { storageClassName: '' })], volumes: [disk()] },
      ['updateVolume disk'],
    ],
    [
      'two claims, one volume',
      {
        claims: [claimOf('a', { storageClassName: '' }), claimOf('b', { storageClassName: '' })],
        volumes: [disk()],
      },
      ['updateVolume disk', 'tell b FailedBinding'],
    ],
    [
      'the volume is ours',
      { claims: [claimOf('a', { storageClassName: '' })], volumes: [disk(taken)] },
      ['updateClaim a'],
    ],
    [
      'reserved by name',
      { claims: [claimOf('a', { storageClassName: '' })], volumes: [disk({ claimRef: refTo('a') })] },
      ['updateVolume disk'],
    ],
    [
      'reserved for another',
      { claims: [claimOf('a', { storageClassName: '' })], volumes: [disk({ claimRef: refTo('z') })] },
      ['tell a FailedBinding'],
    ],
    ['the user names it', { claims: [claimOf('a', named)], volumes: [disk()] }, ['updateVolume disk']],
    [
      'the user names one too small',
      { claims: [claimOf('a', named)], volumes: [disk({ capacity: { storage: '1Mi' } })] },
      ['tell a VolumeMismatch'],
    ],
    [
      'both halves are there',
      { claims: [claimOf('a', named)], volumes: [disk(taken, bound)] },
      ['updateClaimStatus a'],
    ],
    ['bound', { claims: [claimOf('a', named, bound)], volumes: [disk(taken, bound)] }, []],
    ['bound, and the volume vanished', { claims: [claimOf('a', named, bound)] }, ['updateClaimStatus a']],
    [
      'deleted while in use',
      {
        claims: [claimOf('a', named, { ...bound, metadata: deleted })],
        volumes: [disk(taken, bound)],
        pods: [userOf('a', 'n')],
      },
      [],
    ],
    [
      'deleted',
      { claims: [claimOf('a', named, { ...bound, metadata: deleted })], volumes: [disk(taken, bound)] },
      ['updateClaim a'],
    ],
    ['its claim is gone', { volumes: [disk(taken, bound)] }, ['updateVolumeStatus disk']],
    ['released and retained', { volumes: [disk(taken, { status: { phase: 'Released' } })] }, []],
    [
      'released and ours',
      { volumes: [disk(dynamic, { ...ours, status: { phase: 'Released' } })] },
      ['deleteVolume disk'],
    ],
    ['released and not ours', { volumes: [disk(dynamic, { status: { phase: 'Released' } })] }, []],
    [
      'ours, being deleted',
      { volumes: [disk(dynamic, { metadata: { ...ours.metadata, ...deleted } })] },
      ['finalizeVolume disk delete'],
    ],
    [
      'retained, being deleted',
      { volumes: [disk(taken, { metadata: { ...ours.metadata, ...deleted } })] },
      ['finalizeVolume disk keep'],
    ],
    [
      'being deleted while bound',
      {
        claims: [claimOf('a', named, bound)],
        volumes: [disk(dynamic, { ...bound, metadata: { ...ours.metadata, ...deleted } })],
      },
      [],
    ],
  ];
  for (const [what, objects, expected] of table)
    assert.deepEqual(planVolumes(clusterOf(objects)).map(stepText), expected, what);
});

test('an ephemeral volume is a claim its pod owns; a claim whose pod is gone goes', () => {
  const template = { metadata: { labels: { a: 'b' } }, spec: { accessModes: ['ReadWriteOnce'] } };
  const pod: Pod = {
    metadata: { name: 'p', namespace: 'ns', uid: 'pod-p' },
    spec: { containers: [], volumes: [{ name: 'v', ephemeral: { volumeClaimTemplate: template } }] },
  };
  const [step] = planVolumes(clusterOf({ pods: [pod] }));
  assert.equal(step?.kind, 'createClaim');
  const claim = step?.kind === 'createClaim' ? step.claim : {};
  assert.equal(claim.metadata?.name, 'p-v');
  assert.deepEqual(claim.metadata?.labels, { a: 'b' });
  assert.deepEqual(
    claim.metadata?.ownerReferences?.map(({ uid, controller }) => [uid, controller]),
    [['pod-p', true]],
  );
  const successor = { ...pod, metadata: { ...pod.metadata, uid: 'pod-q' } };
  assert.deepEqual(planVolumes(clusterOf({ claims: [claim] })).map(stepText), ['deleteClaim p-v']);
  assert.deepEqual(planVolumes(clusterOf({ claims: [claim], pods: [successor] })).map(stepText), [
    'deleteClaim p-v',
  ]);
});

test('of the volumes that are enough the smallest', () => {
  const sized = (name: string, storage: string, more: PersistentVolume['spec'] = {}) =>
    volumeOf(name, { capacity: { storage }, ...more });
  const free = [sized('large', '9Gi'), sized('small', '2Gi'), sized('tiny', '1Mi')];
  const best = (spec: PersistentVolumeClaim['spec'], volumes: readonly PersistentVolume[] = free) =>
    matchVolume(claimOf('a', spec), volumes)?.metadata?.name;
  assert.equal(best({}), 'small');
  assert.equal(best({ accessModes: ['ReadWriteMany'] }), undefined);
  assert.equal(best({ storageClassName: 'x' }), undefined);
  assert.equal(best({ storageClassName: 'x' }, [sized('x', '1Gi', { storageClassName: 'x' })]), 'x');
  assert.equal(best({ selector: { matchLabels: { disk: 'fast' } } }), undefined);
  const labelled = volumeOf('fast', {}, { metadata: { labels: { disk: 'fast' } } });
  assert.equal(best({ selector: { matchLabels: { disk: 'fast' } } }, [...free, labelled]), 'fast');
});

/** The API server's part, as far as it matters here: an object whose last finalizer goes while it is deleted is gone. */
function carryOut(objects: Required<Objects>, step: VolumeStep): Required<Objects> {
  const put = <T extends Pod | PersistentVolume>(list: readonly T[], object: T): readonly T[] => {
    const others = list.filter((one) => one.metadata?.name !== object.metadata?.name);
    const isGone =
      object.metadata?.deletionTimestamp !== undefined && object.metadata.finalizers?.length === 0;
    return isGone ? others : [...others, object];
  };
  switch (step.kind) {
    case 'tell':
      return objects;
    case 'provision': {
      const { name, uid } = step.claim.metadata ?? {};
      const spec = {
        claimRef: refTo(name ?? '', uid),
        storageClassName: 'local',
        persistentVolumeReclaimPolicy: 'Delete',
      };
      const made = volumeOf(`pvc-${uid}`, spec, {
        metadata: { annotations: { [PROVISIONED_BY]: PROVISIONER } },
      });
      return { ...objects, volumes: put(objects.volumes, made) };
    }
    case 'deleteVolume':
      return {
        ...objects,
        volumes: put(objects.volumes, { ...step.volume, metadata: { ...step.volume.metadata, ...deleted } }),
      };
    case 'deleteClaim':
    case 'createClaim':
      throw new Error('no pod of this test has an ephemeral volume');
    case 'updateClaim':
    case 'updateClaimStatus':
      return { ...objects, claims: put(objects.claims, step.claim) };
    case 'updateVolume':
    case 'updateVolumeStatus':
    case 'finalizeVolume':
      return { ...objects, volumes: put(objects.volumes, step.volume) };
  }
}

test('whatever is there, and whichever step is lost: it settles, and every volume has one claim', async () => {
  const claim = fc.record({
    class: fc.constantFrom(undefined, '', 'local', 'now'),
    deleted: fc.boolean(),
    used: fc.boolean(),
  });
  const volume = fc.record({
    size: fc.constantFrom('1Mi', '1Gi', '5Gi'),
    for: fc.constantFrom(undefined, 'c0', 'c1', 'gone'),
  });
  const world = fc.record({
    claims: fc.array(claim, { maxLength: 4 }),
    volumes: fc.array(volume, { maxLength: 4 }),
    picks: fc.array(fc.nat({ max: 1000 }), { minLength: 10, maxLength: 10 }),
  });
  await assertProperty(
    fc.asyncProperty(world, async ({ claims, volumes, picks }) => {
      let objects: Required<Objects> = {
        classes: [LOCAL, IMMEDIATE],
        nodes: [],
        claims: claims.map((one, index) =>
          claimOf(`c${index}`, { storageClassName: one.class }, { metadata: one.deleted ? deleted : {} }),
        ),
        volumes: volumes.map((one, index) =>
          volumeOf(`v${index}`, {
            capacity: { storage: one.size },
            ...(one.for === undefined ? {} : { claimRef: refTo(one.for) }),
          }),
        ),
        pods: claims.flatMap((one, index) => (one.used ? [userOf(`c${index}`, 'n')] : [])),
      };
      // One step of each plan, as after a crash; the stale rest is planned anew.
      for (let turn = 0; ; turn += 1) {
        assert.ok(turn < 100, 'it settles');
        const steps = planVolumes(clusterOf(objects)).filter(({ kind }) => kind !== 'tell');
        const step = steps[(picks[turn % picks.length] ?? 0) % Math.max(1, steps.length)];
        if (step === undefined) break;
        objects = carryOut(objects, step);
      }
      for (const one of objects.claims) {
        const name = one.spec?.volumeName;
        if (name === undefined) continue;
        assert.equal(objects.claims.filter(({ spec }) => spec?.volumeName === name).length, 1);
        const held = objects.volumes.find(({ metadata }) => metadata?.name === name);
        assert.equal(held?.spec?.claimRef?.uid, one.metadata?.uid);
        assert.deepEqual([one.status?.phase, held?.status?.phase], ['Bound', 'Bound']);
      }
      claims.forEach((one, index) => {
        const left = objects.claims.find(({ metadata }) => metadata?.name === `c${index}`);
        assert.equal(
          left === undefined,
          one.deleted && !one.used,
          'a claim goes when it is deleted and not in use',
        );
        if (one.used && !one.deleted && one.class !== '') assert.equal(left?.status?.phase, 'Bound');
      });
    }),
    { file: 'test/controllers/volumes.test.ts', numRuns: 300 },
  );
});

test('the local provisioner makes a directory for everybody in the pod, and deletes only its own', async () => {
  const root = mkdtempSync(join(tmpdir(), 'podwright-provisioner-'));
  try {
    const provisioner = createLocalProvisioner(join(root, 'volumes'), ['node-1']);
    const volume = await provisioner.provision(claimOf('a'), LOCAL);
    const path = volume.spec?.local?.path ?? '';
    assert.equal(statSync(path).mode & 0o777, 0o777);
    assert.equal(volume.spec?.capacity?.storage, '1Gi');
    const stranger = mkdtempSync(join(root, 'stranger-'));
    await provisioner.deleteData({ ...volume, spec: { local: { path: stranger } } });
    assert.ok(existsSync(stranger) && existsSync(path), 'a path that is not its own is left alone');
    await provisioner.deleteData(volume);
    await provisioner.deleteData(volume);
    assert.ok(!existsSync(path));
  } finally {
    rmSync(root, { recursive: true });
  }
});
