// The engine may die: containers outlive it, and a new engine finishes what was half done.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { PODS } from '../../src/client/resources.ts';
import { eventually, TestEngine } from '../lib/engine.ts';
import { processesOf } from '../lib/processes.ts';

function manifest(name: string): object {
  const container = (tag: string) => ({
    name: tag,
    image: 'localhost/podwright/busybox:1',
    command: ['sh', '-c', `echo ${tag} of ${name}; exec sleep 3600`],
  });
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { terminationGracePeriodSeconds: 1, containers: [container('a'), container('b')] },
  };
}

describe('kill -9 of the engine', () => {
  const engine = new TestEngine();
  before(async () => {
    await engine.start();
    await engine.loadImage('busybox');
  });
  after(() => engine.close());

  test('in the middle of starting 20 pods: all become Ready, each with one sandbox and no doubled container', async () => {
    const items = Array.from({ length: 20 }, (_, index) => manifest(`pod-${index}`));
    const file = `${engine.dir}/pods.json`;
    writeFileSync(file, items.map((item) => JSON.stringify(item)).join('\n'));
    await engine.kube('create', '-f', file);
    await sleep(400); // somewhere in the middle; the next kill comes at another moment
    await engine.kill();
    await engine.start();
    await sleep(300);
    await engine.kill();
    await engine.start();
    await engine.kube('wait', '--for=condition=Ready', 'pods', '--all', '--timeout=120s');
    const pods = (await engine.api.list(PODS, { namespace: 'default' })).items;
    assert.equal(pods.length, 20);
    for (const pod of pods) {
      const commands = processesOf(pod.metadata?.uid ?? '')
        .map(({ command }) => command)
        .sort();
      assert.deepEqual(commands, ['/pause', 'sleep 3600', 'sleep 3600'], pod.metadata?.name ?? '');
    }
    assert.equal(new Set(pods.map((pod) => pod.status?.podIP)).size, 20, 'every pod has its own address');
  });

  test('while all run: same PIDs, same addresses, restart counts unchanged, logs without a gap', async () => {
    const view = async () =>
      (await engine.api.list(PODS, { namespace: 'default' })).items.map((pod) => ({
        uid: pod.metadata?.uid,
        ip: pod.status?.podIP,
        restarts: pod.status?.containerStatuses?.map(({ restartCount }) => restartCount),
        pids: processesOf(pod.metadata?.uid ?? '').map(({ pid }) => pid),
      }));
    const before = await view();
    await engine.kill();
    await engine.start();
    await engine.kube('wait', '--for=condition=Ready', 'pods', '--all', '--timeout=120s');
    assert.deepEqual(await view(), before);
    assert.equal(await engine.kube('logs', 'pod-7', '-c', 'b'), 'b of pod-7\n');
  });

  test('a container that ends while no engine runs is seen by the next one', async () => {
    const pod = await engine.pod('pod-3');
    const victim = processesOf(pod.metadata?.uid ?? '').find(({ command }) => command.startsWith('sleep'));
    await engine.kill();
    process.kill(victim?.pid ?? assert.fail('nothing runs'), 'SIGKILL');
    await engine.start();
    const restarts = await eventually('it was started again', async () => {
      const statuses = (await engine.pod('pod-3')).status?.containerStatuses ?? [];
      const isBack =
        statuses.every(({ state }) => state?.running) &&
        statuses.some(({ restartCount }) => restartCount > 0);
      return isBack ? statuses.map(({ restartCount }) => restartCount) : undefined;
    });
    assert.deepEqual(restarts.sort(), [0, 1]);
  });
});
