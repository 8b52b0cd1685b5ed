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

  test('each profile gives the debugger what it names', async () => {
    await engine.api.create(PODS, podOf('profiled', [shell('app', 'exec sleep 3712')]));
    await engine.waitReady('profiled');
    const script = 'grep CapEff /proc/self/status; echo over';
    /** linux/capability.h; NET_RAW every container has. */
    const [netAdmin, sysPtrace, sysAdmin] = [12n, 19n, 21n];
    for (const [profile, has] of [
      ['general', [sysPtrace]],
      ['baseline', []],
      ['netadmin', [netAdmin]],
      ['sysadmin', [netAdmin, sysPtrace, sysAdmin]],
    ] as const) {
      const name = `as-${profile}`;
      const target = ['--target=app', `--profile=${profile}`, '-c', name];
      await debug('profiled', `--image=${BUSYBOX}`, ...target, '--', 'sh', '-c', script);
      const said = await logOf('profiled', name, /over/);
      const mask = BigInt(`0x${/CapEff:\s+(\w+)/.exec(said)?.[1]}`);
      const found = [netAdmin, sysPtrace, sysAdmin].filter((bit) => (mask >> bit) & 1n);
      assert.deepEqual(found, has, profile);
    }
    const security = ((await engine.pod('profiled')).spec?.ephemeralContainers ?? []).map(
      ({ name, securityContext }) => [name, securityContext?.privileged, securityContext?.capabilities?.add],
    );
    assert.deepEqual(security, [
      ['as-general', undefined, ['SYS_PTRACE']],
      ['as-baseline', undefined, undefined],
      ['as-netadmin', undefined, ['NET_ADMIN', 'NET_RAW']],
      ['as-sysadmin', true, undefined],
    ]);
    const target = ['--target=app', '--profile=restricted', '-c', 'as-restricted'];
    await debug('profiled', `--image=${BUSYBOX}`, ...target, '--', 'sh', '-c', script);
    // The image runs as root, which this profile forbids; the kubelet says so and starts nothing.
    await eventually('it is refused', async () => {
      const { ephemeralContainerStatuses = [] } = (await engine.pod('profiled')).status ?? {};
      const waiting = ephemeralContainerStatuses.find(({ name }) => name === 'as-restricted')?.state?.waiting;
      return waiting?.reason === 'CreateContainerConfigError' ? waiting : undefined;
    });
  });

  test('--copy-to makes a twin with another image or command, and with shared processes', async () => {
    await engine.api.create(PODS, podOf('source', [shell('app', 'exec sleep 3713')]));
    await engine.waitReady('source');
    const shared = ['--copy-to=twin', '--share-processes', `--image=${BUSYBOX}`, '-c', 'dbg'];
    await debug('source', ...shared, '--', 'sh', '-c', 'sleep 1; ps; echo over; sleep 3714');
    assert.match(await logOf('twin', 'dbg', /over/), /sleep 3713/);
    await debug('source', '--copy-to=changed', `--set-image=app=${BUSYBOX}`, '--attach=false');
    await engine.waitReady('changed');
    await debug(
      'source',
      '--copy-to=crashing',
      '--container=app',
      '--attach=false',
      '--',
      'sh',
      '-c',
      'echo over',
    );
    assert.match(await logOf('crashing', 'app', /over/), /over/);
    assert.equal((await engine.pod('source')).status?.containerStatuses?.[0]?.restartCount, 0);
  });

  test('node/NAME is a pod in the node’s namespaces that sees its root', async () => {
    const look = 'ls /host/proc/1 > /dev/null && hostname && echo over';
    await debug('node/test-node', `--image=${BUSYBOX}`, '--attach=false', '--', 'sh', '-c', look);
    const name = await eventually('the pod is there', async () => {
      const names = (await engine.kube('get', 'pods', '-o', 'name')).split('\n');
      return names.find((one) => one.startsWith('pod/node-debugger-test-node-'))?.slice('pod/'.length);
    });
    await logOf(name, 'debugger', /over/);
    const { spec } = await engine.pod(name);
    assert.deepEqual([spec?.hostNetwork, spec?.hostPID, spec?.hostIPC], [true, true, true]);
  });
});
