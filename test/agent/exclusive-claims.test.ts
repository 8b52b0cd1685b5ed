// ReadWriteOncePod on the fake machine: two pods that want one claim have it one after the other.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES } from '../../src/client/resources.ts';
import { container, podOf, World } from './world.ts';

async function worldWithClaim(accessMode: string): Promise<World> {
  const world = new World({
    behaviour: (name) => (name === 'ends' ? { runMs: 30_000 } : { sigtermMs: 100 }),
  });
  await world.api.create(PERSISTENT_VOLUMES, {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'disk' },
    spec: { accessModes: [accessMode], local: { path: '/disk' } },
  });
  await world.api.create(PERSISTENT_VOLUME_CLAIMS, {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'claim', namespace: 'default' },
    spec: { accessModes: [accessMode], volumeName: 'disk' },
    status: { phase: 'Bound' },
  });
  await world.start();
  return world;
}

const user = (name: string, containerName = 'a') =>
  podOf(
    {
      restartPolicy: 'Never',
      containers: [container(containerName)],
      volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'claim' } }],
    },
    { name, uid: `uid-${name}` },
  );
const phases = (world: World): readonly (string | undefined)[] =>
  ['one', 'two'].map((name) => world.pod(name).status?.phase);

test('of two pods that come at once one waits, and says why, until the other has ended', async () => {
  const world = await worldWithClaim('ReadWriteOncePod');
  await world.create(user('one', 'ends'));
  await world.create(user('two', 'ends'));
  await world.clock.advance(5_000);
  assert.deepEqual([...phases(world)].sort(), ['Pending', 'Running']);
  const why =
    'FailedMount: MountVolume.SetUp failed for volume "v" : volume uses the ReadWriteOncePod access mode and is already in use by another pod';
  assert.ok(world.story().includes(why));
  await world.clock.advance(180_000);
  assert.deepEqual(phases(world), ['Succeeded', 'Succeeded']);
  const [first = 0, second = 0] = world.machine.calls
    .filter(({ name }) => name === 'startContainer')
    .map(({ atMs }) => atMs);
  assert.ok(second - first >= 30_000);
  await world.stop();
});

test('an engine that comes later knows who has the claim', async () => {
  const world = await worldWithClaim('ReadWriteOncePod');
  await world.create(user('two'));
  await world.clock.advance(1_000);
  await world.create(user('one'));
  await world.crash();
  await world.clock.advance(120_000);
  assert.deepEqual(phases(world), ['Pending', 'Running']);
  await world.stop();
});

test('a claim of another mode is every pod’s', async () => {
  const world = await worldWithClaim('ReadWriteOnce');
  await world.create(user('one'));
  await world.create(user('two'));
  await world.clock.advance(5_000);
  assert.deepEqual(phases(world), ['Running', 'Running']);
  await world.stop();
});
