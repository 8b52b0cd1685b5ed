// The ambassador: the app reads from localhost, HAProxy spreads over three Redis servers; one of them dies, and the app's
// next commands, before anybody could have noticed, all succeed.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually, ROOT, TestEngine } from '../lib/engine.ts';
import { freePort } from '../lib/ports.ts';

/** Enough for every server to be asked often. */
const CONNECTIONS = 90;

describe('examples/proxy.yaml', () => {
  const engine = new TestEngine();
  let manifest = '';
  before(async () => {
    await engine.start();
    await engine.loadImage('haproxy', 'redis');
    manifest = await onFreePorts();
    await engine.kube('apply', '-f', manifest);
    for (const pod of ['redis-0', 'redis-1', 'redis-2', 'proxy']) await engine.waitReady(pod);
  });
  after(() => engine.close());

  /** The example as it is, but for the host ports: this may not be the only engine on the machine. */
  async function onFreePorts(): Promise<string> {
    const ports = new Map<string, string>();
    for (const port of ['7001', '7002', '7003']) ports.set(port, String(await freePort()));
    const text = readFileSync(`${ROOT}/examples/proxy.yaml`, 'utf8');
    const path = join(engine.dir, 'proxy.yaml');
    writeFileSync(
      path,
      text.replace(/\b700[123]\b/g, (port) => ports.get(port) ?? port),
    );
    return path;
  }

  /** What the app's container gets from localhost: per connection the value of the key and the server's identity. */
  async function ask(
    connections: number,
  ): Promise<{ readonly values: string[]; readonly servers: Set<string> }> {
    const turn = String.raw`printf 'get greeting\ninfo server\n' | redis-cli | sed -n '1p; /^run_id/p'`;
    const script = `for i in $(seq ${connections}); do ${turn}; done 2>&1`;
    const lines = (await engine.kube('exec', 'proxy', '-c', 'app', '--', 'sh', '-c', script))
      .trim()
      .split(/\r?\n/);
    const isServer = (line: string): boolean => line.startsWith('run_id:');
    return {
      values: lines.filter((line) => !isServer(line)),
      servers: new Set(lines.filter(isServer)),
    };
  }

  const allThree = () =>
    eventually('all three have the data and are asked', async () => {
      const { values, servers } = await ask(6);
      return servers.size === 3 && values.every((value) => value === 'hello') ? servers : undefined;
    });

  test('what the app writes through localhost is read through localhost, from each of the three', async () => {
    await allThree();
    const proxy = (await engine.pod('proxy')).status?.podIP;
    const closed = await engine.kubectl('exec', 'redis-0', '--', 'redis-cli', '-h', proxy ?? '', 'ping');
    assert.match(closed.stderr + closed.stdout, /Connection refused/, 'the proxy listens on localhost alone');
  });

  test('a backend dies: the app sees no error; a new one takes its place and is asked', async () => {
    const before = await allThree();
    // Between two batches: what a connection carries at the moment of its server's death no TCP proxy can save.
    await engine.kube('delete', 'pod', 'redis-1', '--grace-period=0', '--force');
    const { values, servers } = await ask(CONNECTIONS);
    assert.deepEqual(
      values,
      Array.from({ length: CONNECTIONS }, () => 'hello'),
    );
    assert.equal(servers.size, 2);
    const address = (await engine.pod('proxy')).status?.podIP;
    const isDown = /^haproxy_server_status\{proxy="reads",server="redis-1",state="DOWN"\} 1$/m;
    await eventually('the proxy has taken the dead server out', async () => {
      const metrics = await (await fetch(`http://${address}:8404/metrics`)).text();
      return isDown.test(metrics) || undefined;
    });

    await engine.kube('apply', '-f', manifest);
    const again = await allThree();
    assert.equal([...again].filter((server) => before.has(server)).length, 2, 'two as before, one new');
    const pod = await engine.pod('proxy');
    const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
    assert.deepEqual(
      statuses.map(({ restartCount }) => restartCount),
      [0, 0],
      'neither proxy nor app was restarted for it',
    );
  });
});
