// Stories of single pods, told by the real agent over a machine and an API in memory. The laws that hold for every
// pod are in pod-lifecycle.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PodwrightError } from '../../src/base/errors.ts';
import { CONFIG_MAPS, NODES } from '../../src/client/resources.ts';
import type { Container } from '../../src/kube/api-types.ts';
import type { ContainerConfig } from '../../src/machine/model/container.ts';
import type { VolumeSetup } from '../../src/machine/model/volume.ts';
import type { Behaviour } from './fake-machine.ts';
import { container, podOf, sidecar, UID, World } from './world.ts';

test('a pod comes up, is Ready, and its story is told in events', async () => {
  const world = new World();
  await world.start();
  await world.create(podOf());
  await world.clock.advance(100);
  const { status } = world.pod();
  assert.equal(status?.phase, 'Running');
  assert.equal(status?.podIP, '10.200.0.2');
  assert.equal(status?.hostIP, '192.0.2.1');
  assert.deepEqual(
    status?.conditions?.map(({ type, status: value }) => `${type}=${value}`),
    [
      'PodReadyToStartContainers=True',
      'Initialized=True',
      'Ready=True',
      'ContainersReady=True',
      'PodScheduled=True',
    ],
  );
  assert.equal(world.status('a').containerID, 'crun://uid-p_a_0');
  assert.deepEqual(world.story(), [
    'Pulling: Pulling image "busybox:1"',
    'Pulled: Successfully pulled image "busybox:1" in 0s. Image size: 1 bytes.',
    'Created: Created container: a',
    'Started: Started container a',
  ]);
  const { conditions = [] } = world.api.find(NODES, { name: 'node' }).status ?? {};
  assert.equal(conditions.find(({ type }) => type === 'Ready')?.status, 'True');
  await world.stop();
});

test('a crashing container is restarted at once, then after 10 s, 20 s', async () => {
  const starts: number[] = [];
  const world = new World({
    behaviour: () => ({ runMs: 1000, exitCode: 1 }),
    onCall: (call) => {
      if (call.name === 'startContainer') starts.push(call.atMs);
    },
  });
  await world.start();
  await world.create(podOf());
  await world.clock.advance(15_000);
  assert.equal(world.status('a').restartCount, 2);
  assert.deepEqual(world.status('a').state?.waiting, {
    reason: 'CrashLoopBackOff',
    message:
      'back-off 20s restarting failed container=a pod=p_default(uid-p), next restart at 2030-01-01T00:00:33Z',
  });
  assert.equal(world.status('a').lastState?.terminated?.exitCode, 1);
  const backOffs = world.events().filter((event) => event.reason === 'BackOff');
  assert.deepEqual(
    backOffs.map(({ message, count, involvedObject }) => [message, count, involvedObject.fieldPath]),
    ['00:00:12Z', '00:00:33Z'].map((next) => [
      `Back-off restarting failed container a in pod p_default(uid-p), next restart at 2030-01-01T${next}`,
      1,
      'spec.containers{a}',
    ]),
  );
  await world.clock.advance(20_000);
  const gaps = starts.slice(1).map((atMs, index) => Math.round((atMs - (starts[index] ?? 0)) / 1000));
  assert.deepEqual(gaps, [1, 11, 21]);
  await world.stop();
});

test('restartPolicy Never: Succeeded or Failed, and nothing more happens', async () => {
  for (const [exitCode, phase] of [
    [0, 'Succeeded'],
    [3, 'Failed'],
  ] as const) {
    const world = new World({ behaviour: () => ({ runMs: 1000, exitCode }) });
    await world.start();
    await world.create(podOf({ restartPolicy: 'Never' }));
    await world.clock.advance(5000);
    assert.equal(world.pod().status?.phase, phase);
    assert.equal(world.status('a').state?.terminated?.exitCode, exitCode);
    assert.equal(world.machine.observe(UID).containers.length, 1, 'its log stays readable');
    await world.stop();
  }
});

test('deletion: SIGTERM, then the object goes when nothing is left', async () => {
  const world = new World({ behaviour: () => ({ sigtermMs: 500, exitCode: 0 }) });
  await world.start();
  await world.create(podOf());
  await world.clock.advance(100);
  await world.delete();
  await world.clock.advance(400);
  assert.equal(world.hasPod(), true, 'it still stops');
  await world.clock.advance(300);
  assert.equal(world.hasPod(), false);
  assert.deepEqual(world.machine.pods(), []);
  await world.stop();
});

test('a container that ignores SIGTERM is killed when the grace is over, and a shorter grace acts at once', async () => {
  const world = new World({ behaviour: () => ({}) });
  await world.start();
  await world.create(podOf());
  await world.clock.advance(100);
  await world.delete(30);
  await world.clock.advance(20_000);
  assert.equal(world.hasPod(), true);
  await world.delete(3);
  await world.clock.advance(4500);
  assert.equal(world.hasPod(), false);
  await world.stop();
});

test('force deletion removes the object first; the containers follow at once', async () => {
  const world = new World({ behaviour: () => ({}) });
  await world.start();
  await world.create(podOf());
  await world.clock.advance(100);
  await world.delete(0);
  await world.clock.advance(50);
  assert.deepEqual(world.machine.pods(), []);
  await world.stop();
});

test('init containers in order, sidecars stay and stop last in reverse', async () => {
  const order: string[] = [];
  const world = new World({
    behaviour: (name) => (name.startsWith('init') ? { runMs: 1000 } : { sigtermMs: 1000 }),
    onCall: (call) => {
      const { name = '' } = (call.detail ?? {}) as { name?: string };
      if (call.name === 'startContainer') order.push(`start ${name}`);
      if (call.name === 'signalContainer') order.push(`stop ${name}`);
    },
  });
  await world.start();
  await world.create(
    podOf({
      initContainers: [container('init1'), sidecar('s1'), sidecar('s2'), container('init2')],
      containers: [container('a'), container('b')],
    }),
  );
  await world.clock.advance(1500);
  assert.equal(world.pod().status?.phase, 'Pending');
  assert.deepEqual(world.status('a').state?.waiting, { reason: 'PodInitializing' });
  await world.clock.advance(1500);
  assert.equal(world.pod().status?.phase, 'Running');
  await world.delete();
  await world.clock.advance(10_000);
  assert.deepEqual(order, [
    'start init1',
    'start s1',
    'start s2',
    'start init2',
    'start a',
    'start b',
    'stop a',
    'stop b',
    'stop s2',
    'stop s1',
  ]);
  assert.equal(world.hasPod(), false);
  await world.stop();
});

test('a finished app does not wait for sidecars: they stop, then the pod is Succeeded', async () => {
  const world = new World({ behaviour: (name) => (name === 'a' ? { runMs: 1000 } : { sigtermMs: 500 }) });
  await world.start();
  await world.create(podOf({ restartPolicy: 'Never', initContainers: [sidecar('s')] }));
  await world.clock.advance(1300);
  assert.equal(world.pod().status?.phase, 'Running', 'terminal only when nothing runs');
  await world.clock.advance(1000);
  assert.equal(world.pod().status?.phase, 'Succeeded');
  await world.stop();
});

test('an image change restarts that container alone', async () => {
  const world = new World({ behaviour: () => ({ sigtermMs: 100 }) });
  await world.start();
  await world.create(podOf({ initContainers: [sidecar('s')], containers: [container('a'), container('b')] }));
  await world.clock.advance(100);
  const before = world.status('b');
  await world.patch({ spec: { containers: [container('a', { image: 'busybox:2' }), container('b')] } });
  await world.clock.advance(1000);
  assert.equal(world.status('a').restartCount, 1);
  assert.equal(world.status('a').image, 'busybox:2');
  assert.notEqual(world.status('a').state?.running, undefined);
  assert.deepEqual(world.status('b'), before);
  assert.ok(world.story().includes('Killing: Container a definition changed, will be restarted'));
  assert.equal(world.callNames().filter((name) => name === 'createSandbox').length, 1);
  await world.stop();
});

test('a dead infra container: new sandbox, init containers again, restart counts go on', async () => {
  const world = new World({ behaviour: (name) => (name === 'i' ? { runMs: 100 } : { sigtermMs: 100 }) });
  await world.start();
  await world.create(podOf({ initContainers: [container('i')] }));
  await world.clock.advance(1000);
  world.machine.killInfra(UID);
  await world.clock.advance(1000);
  assert.equal(world.pod().status?.podIP, '10.200.0.3');
  assert.equal(world.status('i').restartCount, 1);
  assert.equal(world.status('a').restartCount, 1);
  assert.ok(world.story().includes('SandboxChanged: Pod sandbox changed, it will be killed and re-created.'));
  await world.stop();
});

test('an engine restart changes nothing for a running pod', async () => {
  const world = new World();
  await world.start();
  await world.create(podOf());
  await world.clock.advance(100);
  const before = world.pod().status;
  await world.crash();
  await world.clock.advance(5000);
  assert.deepEqual(world.pod().status, before);
  assert.deepEqual(
    world.machine.calls.map((call) => call.name),
    [],
  );
  await world.stop();
});

test('a pod deleted while the engine was away is torn down at its start', async () => {
  const world = new World({ behaviour: () => ({}) });
  await world.start();
  await world.create(podOf());
  await world.clock.advance(100);
  world.machine = world.machine.reopen();
  void world.agent.stop();
  await world.delete(0);
  await world.crash();
  await world.clock.advance(100);
  assert.deepEqual(world.machine.pods(), []);
  await world.stop();
});

test('a missing image: ErrImagePull, then ImagePullBackOff; it starts once the image is there', async () => {
  let isThere = false;
  const world = new World({ registryHas: () => isThere });
  await world.start();
  await world.create(podOf());
  await world.clock.advance(1000);
  assert.equal(world.status('a').state?.waiting?.reason, 'ErrImagePull');
  await world.clock.advance(15_000);
  assert.deepEqual(world.status('a').state?.waiting, {
    reason: 'ImagePullBackOff',
    message: 'Back-off pulling image "busybox:1": ErrImagePull: pull image busybox:1: manifest unknown',
  });
  isThere = true;
  await world.clock.advance(20_000);
  assert.equal(world.pod().status?.phase, 'Running');
  await world.stop();
});

test('a missing ConfigMap: CreateContainerConfigError, and a start at once when it appears', async () => {
  const world = new World();
  await world.start();
  const env = [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'c', key: 'k' } } }];
  await world.create(podOf({ containers: [container('a', { env })] }));
  await world.clock.advance(30_000);
  assert.deepEqual(world.status('a').state?.waiting, {
    reason: 'CreateContainerConfigError',
    message: 'configmap "c" not found',
  });
  await world.api.create(CONFIG_MAPS, { metadata: { name: 'c', namespace: 'default' }, data: { k: 'v' } });
  await world.clock.advance(100);
  assert.equal(world.pod().status?.phase, 'Running');
  await world.stop();
});

test('a command that cannot start: RunContainerError, then CrashLoopBackOff', async () => {
  const world = new World({ behaviour: () => ({ startError: 'exec: "nope": not found' }) });
  await world.start();
  await world.create(podOf());
  await world.clock.advance(2000);
  assert.deepEqual(world.status('a').state?.waiting, {
    reason: 'RunContainerError',
    message: 'exec: "nope": not found',
  });
  await world.clock.advance(15_000);
  assert.equal(world.status('a').state?.waiting?.reason, 'CrashLoopBackOff');
  assert.equal(world.status('a').lastState?.terminated?.reason, 'StartError');
  await world.stop();
});

test('activeDeadlineSeconds ends the pod', async () => {
  const world = new World({ behaviour: () => ({ sigtermMs: 10 }) });
  await world.start();
  await world.create(podOf({ activeDeadlineSeconds: 60 }));
  await world.clock.advance(59_000);
  assert.equal(world.pod().status?.phase, 'Running');
  await world.clock.advance(5_000);
  assert.equal(world.pod().status?.phase, 'Failed');
  assert.equal(world.pod().status?.reason, 'DeadlineExceeded');
  await world.stop();
});

test('a watch that fell behind lists again', async () => {
  const world = new World();
  await world.start();
  world.api.compact();
  await world.create(podOf());
  await world.clock.advance(100);
  assert.equal(world.pod().status?.phase, 'Running');
  await world.stop();
});

test('a changed ConfigMap reaches the files of a running pod, and restarts nothing', async () => {
  const world = new World();
  await world.start();
  const settings = { metadata: { name: 'c', namespace: 'default' }, data: { k: 'old' } };
  await world.api.create(CONFIG_MAPS, settings);
  await world.create(podOf({ volumes: [{ name: 'v', configMap: { name: 'c' } }] }));
  await world.clock.advance(100);
  const body = { data: { k: 'new' } };
  const key = { namespace: 'default', name: 'c' };
  await world.api.patch(CONFIG_MAPS, key, { type: 'application/merge-patch+json', body });
  await world.clock.advance(100);
  const contents = world.machine.calls
    .filter((call) => call.name === 'setUpVolumes')
    .map((call) => (call.detail as VolumeSetup).volumes[0])
    .map((volume) =>
      volume?.kind === 'files' ? Buffer.from(volume.files[0]?.content ?? []).toString() : '',
    );
  assert.deepEqual(contents, ['old', 'new']);
  assert.equal(world.status('a').restartCount, 0);
  await world.stop();
});

test('a missing ConfigMap of a volume: FailedMount, counted; the pod starts when it appears', async () => {
  const world = new World();
  await world.start();
  await world.create(podOf({ volumes: [{ name: 'v', configMap: { name: 'c' } }] }));
  await world.clock.advance(10_000);
  const failed = world.events().filter((event) => event.reason === 'FailedMount');
  assert.equal(failed.length, 1, 'repetitions are counted');
  assert.ok((failed[0]?.count ?? 0) > 1);
  assert.equal(failed[0]?.message, 'MountVolume.SetUp failed for volume "v" : configmap "c" not found');
  assert.equal(world.status('a').state?.waiting?.reason, 'ContainerCreating');
  await world.api.create(CONFIG_MAPS, { metadata: { name: 'c', namespace: 'default' }, data: {} });
  await world.clock.advance(100);
  assert.equal(world.pod().status?.phase, 'Running');
  await world.stop();
});

test('a sandbox that cannot be made is told, tried again with back-off, and harms no other pod', async () => {
  const world = new World({
    failure: (call) =>
      call.name === 'createSandbox' && call.uid === UID
        ? new PodwrightError('NetworkFailed', 'add network: no address left')
        : undefined,
  });
  await world.start();
  await world.create(podOf());
  await world.create(podOf({}, { name: 'q', uid: 'uid-q' }));
  await world.clock.advance(20_000);
  assert.equal(world.pod('q').status?.phase, 'Running');
  assert.equal(world.pod().status?.phase, 'Pending');
  const tries = world.machine.calls.filter((call) => call.name === 'createSandbox' && call.uid === UID);
  const start = tries[0]?.atMs ?? 0;
  assert.deepEqual(
    tries.map((call) => (call.atMs - start) / 1000),
    [0, 1, 3, 7, 15],
  );
  assert.ok(
    world
      .story()
      .includes('FailedCreatePodSandBox: Failed to create pod sandbox: add network: no address left'),
  );
  await world.stop();
});

test('a pull that is no longer wanted is given up: deletion does not wait for it', async () => {
  const world = new World();
  world.machine.images.pull = (_reference, { signal }) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  await world.start();
  await world.create(podOf());
  await world.clock.advance(1000);
  assert.equal(world.status('a').state?.waiting?.reason, 'ContainerCreating');
  await world.delete();
  await world.clock.advance(100);
  assert.equal(world.hasPod(), false);
  assert.deepEqual(world.machine.pods(), []);
  await world.stop();
});

test('the node is confirmed every five minutes, and not ready after a clean stop', async () => {
  const world = new World();
  await world.start();
  const ready = () =>
    world.api.find(NODES, { name: 'node' }).status?.conditions?.find((one) => one.type === 'Ready');
  const first = ready();
  await world.clock.advance(301_000);
  assert.equal(ready()?.lastTransitionTime, first?.lastTransitionTime);
  assert.notEqual(ready()?.lastHeartbeatTime, first?.lastHeartbeatTime);
  await world.stop();
  assert.equal(ready()?.status, 'False');
});

test('an absent image under pull policy Never, and a name that does not parse', async () => {
  const world = new World();
  await world.start();
  const never = container('a', { imagePullPolicy: 'Never' });
  await world.create(podOf({ containers: [never, container('b', { image: 'NoGood' })] }));
  await world.clock.advance(1000);
  assert.equal(world.status('a').state?.waiting?.reason, 'ErrImageNeverPull');
  assert.equal(world.status('b').state?.waiting?.reason, 'InvalidImageName');
  const story = world.story();
  const told = [
    'ErrImageNeverPull: Container image "busybox:1" is not present with pull policy of Never',
    'Failed: Error: ErrImageNeverPull',
    'Failed: Error: InvalidImageName',
  ];
  for (const line of told) assert.ok(story.includes(line), line);
  assert.ok(
    story.some((line) => line.startsWith('InspectFailed: Failed to apply default image tag "NoGood"')),
  );
  await world.stop();
});

test('an ephemeral container runs once, beside the others, and counts for nothing', async () => {
  const behaviour = (name: string): Behaviour =>
    name === 'debug' ? { runMs: 5000, exitCode: 3 } : { sigtermMs: 10 };
  const world = new World({ behaviour });
  await world.start();
  await world.create(podOf());
  await world.clock.advance(1000);
  const debug = { ...container('debug'), targetContainerName: 'a' };
  await world.patch({ spec: { ephemeralContainers: [debug] } });
  await world.clock.advance(1000);
  const [status] = world.pod().status?.ephemeralContainerStatuses ?? [];
  assert.ok(status?.state?.running);
  const created = world.machine.calls
    .filter((call) => call.name === 'createContainer')
    .map((call) => (call.detail as ContainerConfig).targetContainer);
  assert.deepEqual(created, [undefined, 'a']);
  await world.crash();
  await world.clock.advance(600_000);
  const [ended] = world.pod().status?.ephemeralContainerStatuses ?? [];
  assert.equal(ended?.state?.terminated?.exitCode, 3);
  assert.equal(ended?.restartCount, 0);
  assert.equal(world.pod().status?.conditions?.find(({ type }) => type === 'Ready')?.status, 'True');
  assert.equal(world.status('a').restartCount, 0);
  await world.delete();
  await world.clock.advance(60_000);
  assert.equal(world.hasPod(), false);
  await world.stop();
});

const sized = (cpu: string, more: Partial<Container> = {}): Container =>
  container('a', {
    resources: { requests: { cpu, memory: '64Mi' }, limits: { cpu, memory: '64Mi' } },
    ...more,
  });
const resizeConditions = (world: World): readonly string[] =>
  (world.pod().status?.conditions ?? [])
    .filter(({ type }) => type.startsWith('PodResize'))
    .map(({ type, reason = '' }) => `${type} ${reason}`);

test('a resize reaches the running container, and the status tells when', async () => {
  const world = new World();
  await world.start();
  await world.create(podOf({ containers: [sized('500m')] }));
  await world.clock.advance(1000);
  await world.patch({ spec: { containers: [sized('1')] } });
  await world.clock.settle();
  assert.deepEqual(resizeConditions(world), ['PodResizeInProgress ']);
  assert.deepEqual(world.status('a').resources, sized('500m').resources);
  assert.deepEqual(world.status('a').allocatedResources, sized('1').resources?.requests);
  await world.clock.advance(100);
  assert.deepEqual(resizeConditions(world), []);
  assert.deepEqual(world.status('a').resources, sized('1').resources);
  assert.equal(world.status('a').restartCount, 0);
  await world.stop();
});

test('pod-level resources are resized by themselves, told while it lasts, and refused beyond the node (KEP-5419)', async () => {
  const world = new World();
  await world.start();
  const level = (cpu: string) => ({ requests: { cpu }, limits: { cpu } });
  await world.create(podOf({ resources: level('500m') }));
  await world.clock.advance(1000);
  assert.deepEqual(world.pod().status?.resources, level('500m'));
  await world.patch({ spec: { resources: level('1') } });
  await world.clock.settle();
  assert.deepEqual(resizeConditions(world), ['PodResizeInProgress ']);
  assert.deepEqual(world.pod().status?.resources, level('500m'));
  assert.deepEqual(world.pod().status?.allocatedResources, { cpu: '1' });
  await world.clock.advance(1000);
  assert.deepEqual(resizeConditions(world), []);
  assert.deepEqual(world.pod().status?.resources, level('1'));
  const resizes = world.machine.calls.filter(({ name }) => name === 'updatePodResources');
  assert.deepEqual(
    resizes.map(({ detail }) => detail),
    [{ cpuRequestMilli: 1000, cpuLimitMilli: 1000 }],
  );
  assert.equal(world.status('a').restartCount, 0);
  await world.patch({ spec: { resources: level('3') } });
  await world.clock.advance(1000);
  assert.deepEqual(resizeConditions(world), ['PodResizePending Infeasible']);
  assert.deepEqual(world.pod().status?.allocatedResources, { cpu: '1' });
  await world.stop();
});

test('a resize may need a restart, or wait for the node', async () => {
  const world = new World();
  await world.start();
  const other = podOf({ containers: [sized('1')] }, { name: 'other', uid: 'uid-other' });
  await world.create(other);
  const policy = { resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }] };
  await world.create(podOf({ containers: [sized('500m', policy)] }));
  await world.clock.advance(1000);
  await world.patch({ spec: { containers: [sized('900m', policy)] } });
  await world.clock.advance(1000);
  assert.equal(world.status('a').restartCount, 1);
  assert.match(world.story().join(), /Killing: Container a resize requires restart/);

  await world.patch({ spec: { containers: [sized('3')] } });
  await world.clock.advance(1000);
  assert.deepEqual(resizeConditions(world), ['PodResizePending Infeasible']);
  assert.deepEqual(world.status('a').allocatedResources, sized('900m').resources?.requests);

  await world.patch({ spec: { containers: [sized('1500m')] } });
  await world.clock.advance(1000);
  assert.deepEqual(resizeConditions(world), ['PodResizePending Deferred']);
  await world.delete(0, 'other');
  await world.clock.advance(120_000);
  assert.deepEqual(resizeConditions(world), []);
  assert.deepEqual(world.status('a').resources, sized('1500m').resources);
  await world.stop();
});
