// What containers of one pod share: devices, shared memory, and by a volume a Unix socket; and what they do not.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { eventually, TestEngine } from '../lib/engine.ts';

describe('examples/shared-namespaces.yaml', () => {
  const engine = new TestEngine();
  before(async () => {
    await engine.start();
    await engine.loadImage('busybox', 'redis');
    await engine.kube('apply', '-f', 'examples/shared-namespaces.yaml');
    await engine.waitReady('shared-namespaces');
  });
  after(() => engine.close());

  const inContainer = (container: string, script: string): Promise<string> =>
    engine.kube('exec', 'shared-namespaces', '-c', container, '--', 'sh', '-c', script);

  test('a number goes through a Unix socket, then through shared memory', async () => {
    const turns = await eventually('the meter has read a number', async () => {
      const log = await engine.kube('logs', 'shared-namespaces', '-c', 'meter', '--tail=1');
      return /turns=(\d+)/.exec(log)?.[1];
    });
    const counted = await inContainer('client', 'redis-cli -s /sockets/redis.sock get turns');
    assert.ok(Number(counted) >= Number(turns), `${counted} turns counted, ${turns} seen`);
    assert.equal(existsSync('/dev/shm/turns'), false, "the pod's shared memory is not the node's");
    assert.doesNotMatch(await inContainer('meter', 'netstat -tln'), /LISTEN/, 'nothing listens on a port');
  });

  test('the meter sees on the devices what another container sent', async () => {
    const sent = async (): Promise<number> =>
      Number(await inContainer('meter', 'cat /sys/class/net/eth0/statistics/tx_bytes'));
    const address = (await engine.pod('shared-namespaces')).status?.podIP;
    const before = await sent();
    await inContainer('client', 'httpd -p 9000 -h /usr/bin');
    const file = await (await fetch(`http://${address}:9000/redis-cli`)).arrayBuffer();
    assert.ok(file.byteLength > 100_000, `${file.byteLength} bytes fetched`);
    assert.ok((await sent()) - before >= file.byteLength);
    const views = await Promise.all(
      ['server', 'client', 'meter'].map((container) =>
        inContainer(container, 'cat /sys/class/net/eth0/address'),
      ),
    );
    assert.equal(new Set(views).size, 1, 'one device for all');
  });

  test('processes and root file systems stay apart', async () => {
    assert.doesNotMatch(await inContainer('meter', 'ps'), /redis-server/);
    assert.equal(await inContainer('meter', 'ls /sockets 2>/dev/null || echo none'), 'none\n');
  });
});
