// kubectl debug on real containers: a debugger joins a running pod and is gone without a trace in the app.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { PODS } from '../../src/client/resources.ts';
import { eventually, TestEngine } from '../lib/engine.ts';
import { BUSYBOX, podOf, shell } from '../lib/manifests.ts';

describe('kubectl debug', () => {
  const engine = new TestEngine();
  before(async () => {
    await engine.start();
    await engine.loadImage('busybox');
  });
  after(() => engine.close());

  const debug = (...args: readonly string[]): Promise<string> => engine.kube('debug', ...args);
  const logOf = (pod: string, container: string, wanted: RegExp): Promise<string> =>
    eventually(`${container} says ${wanted}`, async () => {
      const { stdout } = await engine.kubectl('logs', pod, '-c', container);
      return wanted.test(stdout) ? stdout : undefined;
    });

  test('--target sees the processes and the network of the app, which notices nothing', async () => {
    const app = shell('app', 'httpd -p 8080 -h /etc; exec sleep 3711');
    await engine.api.create(PODS, podOf('app', [app]));
    await engine.waitReady('app');
    const before = (await engine.pod('app')).status?.containerStatuses?.[0];
    const look = 'ps; wget -qO- http://localhost:8080/hostname; echo over';
    await debug('app', `--image=${BUSYBOX}`, '--target=app', '-c', 'dbg', '--', 'sh', '-c', look);
    const seen = await logOf('app', 'dbg', /over/);
    assert.match(seen, /1 .*sleep 3711/);
    assert.match(seen, /^app$/m);
    const ended = await eventually('it has ended', async () =>
      (await engine.pod('app')).status?.ephemeralContainerStatuses?.find(
        ({ name, state }) => name === 'dbg' && state?.terminated,
      ),
    );
    assert.equal(ended.state?.terminated?.exitCode, 0);
    const after = (await engine.pod('app')).status?.containerStatuses?.[0];
    assert.deepEqual(after, before);
    assert.match(await engine.kube('describe', 'pod', 'app'), /Ephemeral Containers:\n {2}dbg:/);

    const again = await engine.kubectl(
      'patch',
      'pod',
      'app',
      '--subresource=ephemeralcontainers',
      '-p',
      '{"spec":{"ephemeralContainers":[{"name":"dbg","image":"other"}]}}',
    );
    assert.match(again.stderr, /existing ephemeral containers "dbg" may not be changed/);
  });
});
