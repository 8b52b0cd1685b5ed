// How much pods use: rates over a window of the asker's making, and the kubelet's pages made of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeAnswer } from '../../src/client/node-api.ts';
import { podOf, World } from './world.ts';

async function running(): Promise<World> {
  const world = new World({});
  await world.start();
  await world.create(podOf());
  await world.clock.advance(5000);
  return world;
}

/** The answer, once virtual time has made a window. */
async function later<T>(world: World, asked: Promise<T>): Promise<T> {
  await world.clock.advance(1500);
  return asked;
}

test('the first who asks waits for a window; who asks again soon gets the same', async () => {
  const world = await running();
  const { nodeApi } = world.agent;
  const [first, beside] = await later(world, Promise.all([nodeApi.usage(), nodeApi.usage()]));
  assert.equal(first.windowMs, 1000);
  assert.deepEqual(first, beside);
  // Each container of the fake machine uses a tenth of a processor.
  assert.deepEqual(first.pods, [
    {
      namespace: 'default',
      name: 'p',
      containers: [{ name: 'a', cpuNanoCores: 1e8, memoryBytes: 1024 * 1024 }],
    },
  ]);
  await world.clock.advance(20_000);
  const second = await nodeApi.usage();
  assert.ok(second.windowMs > 20_000, `the window goes back to the last look: ${second.windowMs}`);
  assert.equal(second.pods[0]?.containers[0]?.cpuNanoCores, 1e8);
  await world.clock.advance(600_000);
  const third = await later(world, nodeApi.usage());
  assert.equal(third.windowMs, 1000, 'what was seen ten minutes ago says nothing of now');
  await world.stop();
});

test('the kubelet’s pages', async () => {
  const world = await running();
  const { nodeApi } = world.agent;
  const page = async (path: string): Promise<NodeAnswer> => {
    const answer = await later(world, nodeApi.get(path));
    assert.ok(answer, path);
    return answer;
  };
  const summary = JSON.parse((await page('/stats/summary')).body) as {
    node: { nodeName: string };
    pods: { podRef: { name: string }; containers: { name: string; cpu: { usageNanoCores: number } }[] }[];
  };
  assert.equal(summary.pods[0]?.podRef.name, 'p');
  assert.equal(summary.pods[0]?.containers[0]?.cpu.usageNanoCores, 1e8);
  const resource = (await page('/metrics/resource')).body;
  assert.match(
    resource,
    /container_memory_working_set_bytes\{container="a",namespace="default",pod="p"\} 1048576/,
  );
  const cadvisor = (await page('/metrics/cadvisor')).body;
  assert.match(cadvisor, /container_cpu_usage_seconds_total\{namespace="default",pod="p",container="a",/);
  const own = (await page('/metrics')).body;
  assert.match(own, /kubelet_running_pods 1\n/);
  assert.match(own, /kubelet_runtime_operations_total\{operation_type="create_container"\} \d/);
  assert.match(own, /kubelet_pod_start_sli_duration_seconds_count [1-9]/);
  assert.equal((await page('/healthz')).body, 'ok');
  assert.equal(await nodeApi.get('/nothing'), undefined);
  assert.equal(await nodeApi.get('constructor'), undefined);
  await world.stop();
});
