// The agent against the real API server (in-process) over a fake machine: what it writes passes validation, survives
// defaulting unchanged, and comes to rest.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Agent, createAgent } from '../../src/agent/agent.ts';
import { createApiServer } from '../../src/apiserver/apiserver.ts';
import { silentLog } from '../../src/base/log.ts';
import type { KubeObject, ResourceApi } from '../../src/client/resource-api.ts';
import { EVENTS, PODS } from '../../src/client/resources.ts';
import type { Pod } from '../../src/kube/api-types.ts';
import type { VolumeSetup } from '../../src/machine/model/volume.ts';
import { openStore } from '../../src/store/store.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { type Behaviour, FakeMachine } from './fake-machine.ts';
import { container, podOf, sidecar } from './world.ts';

type Scene = {
  readonly api: ResourceApi;
  readonly clock: VirtualClock;
  readonly machine: FakeMachine;
  readonly agent: Agent;
};

async function scene(t: TestContext, behaviour: (name: string) => Behaviour): Promise<Scene> {
  const dir = await mkdtemp(join(tmpdir(), 'agent-on-apiserver-'));
  const store = await openStore<KubeObject>({ path: join(dir, 'store') });
  const clock = new VirtualClock(Date.now());
  const machine = new FakeMachine({ clock, behaviour });
  const server = await createApiServer({
    store,
    clock,
    dataDir: dir,
    log: silentLog,
    nodeApi: () => agent.nodeApi,
  });
  const api = server.resources;
  const agent = createAgent({
    api,
    machine,
    clock,
    log: silentLog,
    nodeName: 'node',
    nodeIp: '192.0.2.1',
    capacity: { cpu: '2', memory: '4Gi', pods: 110 },
  });
  t.after(async () => {
    const stopped = agent.stop();
    await clock.advance(1000);
    await stopped;
    await server.close();
    await store.close();
    await rm(dir, { recursive: true });
  });
  await agent.start(new AbortController().signal);
  return { api, clock, machine, agent };
}

/** Writes to the store take real time: virtual time goes on until the pod is as wanted. */
async function until(
  scene: Scene,
  what: string,
  isSo: (pod: Pod | undefined) => boolean,
): Promise<Pod | undefined> {
  const endMs = Date.now() + 60_000;
  for (;;) {
    const pod = (await scene.api.list(PODS)).items[0];
    if (isSo(pod)) return pod;
    assert.ok(Date.now() < endMs, `not in time: ${what}: ${JSON.stringify(pod?.status, null, 1)}`);
    await scene.clock.advance(20);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const isReady = (pod: Pod | undefined): boolean =>
  pod?.status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') === true;

test('a pod comes to Ready, rests without a write, and is deleted without a trace', async (t) => {
  const behaviour = (name: string): Behaviour => (name === 'i' ? { runMs: 10 } : { sigtermMs: 10 });
  const here = await scene(t, behaviour);
  const { uid: _uid, ...metadata } = podOf().metadata ?? {};
  const pod = podOf({ initContainers: [container('i'), sidecar('s')] });
  await here.api.create(PODS, { ...pod, metadata });
  await until(here, 'Ready', isReady);
  // Whatever is still on its way arrives; after that the revision stands still.
  await until(here, 'at rest', () => true);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const before = await here.api.get(PODS, { namespace: 'default', name: 'p' });
  await here.clock.advance(100_000);
  await new Promise((resolve) => setTimeout(resolve, 100));
  await here.clock.advance(100_000);
  const after = await here.api.get(PODS, { namespace: 'default', name: 'p' });
  assert.equal(after.metadata?.resourceVersion, before.metadata?.resourceVersion);
  assert.equal(after.status?.qosClass, 'BestEffort');

  const reasons = (await here.api.list(EVENTS)).items.map((event) => event.reason);
  assert.ok(
    ['Pulled', 'Created', 'Started'].every((reason) => reasons.includes(reason)),
    reasons.join(),
  );

  await here.api.delete(PODS, { namespace: 'default', name: 'p' });
  await until(here, 'gone', (one) => one === undefined);
  assert.deepEqual(here.machine.pods(), []);
});

test('a failing pod ends Failed with its exit code', async (t) => {
  const here = await scene(t, () => ({ runMs: 10, exitCode: 7 }));
  const { uid: _uid, ...metadata } = podOf().metadata ?? {};
  await here.api.create(PODS, { ...podOf({ restartPolicy: 'Never' }), metadata });
  const ended = await until(here, 'Failed', (pod) => pod?.status?.phase === 'Failed');
  assert.equal(ended?.status?.containerStatuses?.[0]?.state?.terminated?.exitCode, 7);
});

test('the token in its volume is the pod’s own and is renewed while it still holds', async (t) => {
  const here = await scene(t, () => ({ sigtermMs: 10 }));
  const { uid: _uid, ...metadata } = podOf().metadata ?? {};
  await here.api.create(PODS, { ...podOf(), metadata });
  const pod = await until(here, 'Ready', isReady);
  const tokens = (): readonly string[] =>
    here.machine.calls
      .filter(({ name }) => name === 'setUpVolumes')
      .flatMap(({ detail }) => (detail as VolumeSetup).volumes)
      .flatMap((volume) => (volume.kind === 'files' ? volume.files : []))
      .flatMap(({ path, content }) => (path === 'token' ? Buffer.from(content).toString() : []));
  const [first = ''] = tokens();
  const claims = JSON.parse(Buffer.from(first.split('.')[1] ?? '', 'base64url').toString());
  assert.equal(claims['kubernetes.io'].pod.uid, pod?.metadata?.uid);
  assert.equal(claims.exp - claims.iat, 3607);
  await here.clock.advance(0.8 * 3607_000 + 1000);
  await until(here, 'renewed', () => tokens().length === 2);
  assert.notEqual(tokens()[1], first);
});
