// The process group: four containers, one IP, one volume, one life.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually, TestEngine } from '../lib/engine.ts';
import { namespacesOf, processesOf } from '../lib/processes.ts';

describe('examples/helloworld.yaml', () => {
  const engine = new TestEngine();
  before(async () => {
    await engine.start();
    await engine.loadImage('busybox');
  });
  after(() => engine.close());

  test('main calls api on localhost, and log reads what main and compute left in the shared volume', async () => {
    await engine.kube('apply', '-f', 'examples/helloworld.yaml');
    await engine.waitReady('helloworld');
    const line = await eventually('log has read both files', async () => {
      const log = await engine.kube('logs', 'helloworld', '-c', 'log');
      return /greeting=hello from api square=\d+/.exec(log)?.[0];
    });
    const square = Number(line.split('square=')[1]);
    assert.ok(Number.isInteger(Math.sqrt(square)), `${square} is a square`);
  });

  test('all four share network, IPC and host name, and none shares its processes', async () => {
    const uid = (await engine.pod('helloworld')).metadata?.uid ?? '';
    // A process on its way into its container may still be in the engine's.
    const kinds = ['net', 'ipc', 'uts', 'pid'] as const;
    const distinct = () => kinds.map((kind) => namespacesOf(uid, kind).size).join();
    await eventually('four containers and the infra container', () => distinct() === '1,1,1,5' || undefined);
  });

  test('every container sees the same address and host name', async () => {
    const views = await Promise.all(
      ['api', 'main', 'compute', 'log'].map((container) =>
        engine.kube(
          'exec',
          'helloworld',
          '-c',
          container,
          '--',
          'sh',
          '-c',
          'hostname; ip -o addr show eth0; ip link show eth0',
        ),
      ),
    );
    assert.equal(new Set(views).size, 1, views.join('---\n'));
    assert.match(
      views[0] ?? '',
      new RegExp(String((await engine.pod('helloworld')).status?.podIP).replaceAll('.', '\\.')),
    );
  });

  test('killing an app container changes neither address nor the others; it is started again', async () => {
    const before = await engine.pod('helloworld');
    const victim = processesOf(before.metadata?.uid ?? '').find(({ command }) => command.startsWith('httpd'));
    const others = processesOf(before.metadata?.uid ?? '')
      .filter(({ command }) => command === '/pause')
      .map(({ pid }) => pid);
    process.kill(victim?.pid ?? assert.fail('api does not run'), 'SIGKILL');
    const restarted = await eventually('api runs again', async () => {
      const pod = await engine.pod('helloworld');
      const api = pod.status?.containerStatuses?.find(({ name }) => name === 'api');
      return api?.restartCount === 1 && api.state?.running !== undefined ? pod : undefined;
    });
    assert.equal(restarted.status?.podIP, before.status?.podIP);
    assert.equal(restarted.metadata?.uid, before.metadata?.uid);
    for (const status of restarted.status?.containerStatuses ?? []) {
      assert.equal(status.restartCount, status.name === 'api' ? 1 : 0, status.name);
    }
    for (const pid of others) process.kill(pid, 0);
  });

  test('in the second variant all processes are in one PID namespace, and the infra container reaps orphans', async () => {
    await engine.kube('apply', '-f', 'examples/helloworld-pid.yaml');
    await engine.waitReady('helloworld-pid');
    const uid = (await engine.pod('helloworld-pid')).metadata?.uid ?? '';
    await eventually('one PID namespace', () => namespacesOf(uid, 'pid').size === 1 || undefined);
    await eventually(
      'log sees PID 1 and the others',
      async () =>
        /processes=\d+ pid1=\/pause/.exec(await engine.kube('logs', 'helloworld-pid', '-c', 'log')) ??
        undefined,
    );
    // A loop per container has left orphans by then; one that has just ended may be seen before it is reaped.
    const script = 'sleep 3; ps -o stat,ppid,comm';
    await eventually('no orphan stays a zombie', async () => {
      const all = await engine.kube('exec', 'helloworld-pid', '-c', 'log', '--', 'sh', '-c', script);
      return !/^Z\s+1\s/m.test(all) || undefined;
    });
  });
});
