// What the infra container holds, and what happens when it, or the first process of a container, dies.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { PODS } from '../../src/client/resources.ts';
import { eventually, TestEngine } from '../lib/engine.ts';
import { podOf, shell } from '../lib/manifests.ts';
import { processesOf } from '../lib/processes.ts';

describe('the sandbox', () => {
  const engine = new TestEngine();
  before(async () => {
    await engine.start();
    await engine.loadImage('busybox');
  });
  after(() => engine.close());

  test('killing the infra container gives the pod a new sandbox, the same uid, and its init containers again', async () => {
    const spec = {
      volumes: [{ name: 'data', emptyDir: {} }],
      initContainers: [
        shell('init', 'echo run >> /data/runs', { volumeMounts: [{ name: 'data', mountPath: '/data' }] }),
      ],
    };
    const app = shell('app', 'exec sleep 3600', { volumeMounts: [{ name: 'data', mountPath: '/data' }] });
    const created = await engine.api.create(PODS, podOf('infra', [app], spec));
    await engine.waitReady('infra');
    const pause = processesOf(created.metadata?.uid ?? '').find(({ command }) => command === '/pause');
    process.kill(pause?.pid ?? assert.fail('no infra container'), 'SIGKILL');
    await eventually('the app runs again in a new sandbox', async () => {
      const pod = await engine.pod('infra');
      const [app] = pod.status?.containerStatuses ?? [];
      return app?.restartCount === 1 && app.state?.running ? true : undefined;
    });
    await engine.waitReady('infra');
    const after = await engine.pod('infra');
    assert.equal(after.metadata?.uid, created.metadata?.uid);
    assert.equal(await engine.kube('exec', 'infra', '--', 'cat', '/data/runs'), 'run\nrun\n');
    const commands = processesOf(created.metadata?.uid ?? '').map(({ command }) => command);
    assert.deepEqual(commands.sort(), ['/pause', 'sleep 3600']);
    assert.match(await engine.kube('describe', 'pod', 'infra'), /SandboxChanged/);
  });

  test('when the first process of a container dies, everything in the container is reclaimed', async () => {
    for (const shareProcessNamespace of [false, true]) {
      const name = shareProcessNamespace ? 'shared-pid' : 'own-pid';
      const script = 'sleep 3700 & sleep 3701 & exec sleep 3702';
      const pod = podOf(name, [shell('app', script), shell('other', 'exec sleep 3703')], {
        restartPolicy: 'Never',
        shareProcessNamespace,
      });
      const uid = (await engine.api.create(PODS, pod)).metadata?.uid ?? '';
      await engine.waitReady(name);
      const running = () => processesOf(uid).map(({ command }) => command);
      // Their own commands, not those of the shell before it has become them.
      const all = '/pause,sleep 3700,sleep 3701,sleep 3702,sleep 3703';
      await eventually('all its processes run', () => (running().sort().join() === all ? true : undefined));
      const first = processesOf(uid).find(({ command }) => command === 'sleep 3702');
      process.kill(first?.pid ?? assert.fail('it does not run'), 'SIGKILL');
      await eventually('only the other container and the infra container are left', () =>
        running().sort().join() === '/pause,sleep 3703' ? true : undefined,
      );
      const [app] =
        (
          await eventually('the exit is in the status', async () => {
            const found = await engine.pod(name);
            return found.status?.containerStatuses?.[0]?.state?.terminated ? found : undefined;
          })
        ).status?.containerStatuses ?? [];
      assert.equal(app?.state?.terminated?.exitCode, 137);
      assert.equal(app?.state?.terminated?.reason, 'Error');
    }
  });

  test('hostNetwork, hostPID and the host name', async () => {
    const pod = podOf('host', [shell('app', 'exec sleep 3600')], { hostNetwork: true, hostPID: true });
    await engine.api.create(PODS, pod);
    await engine.waitReady('host');
    const found = await engine.pod('host');
    assert.equal(found.status?.podIP, found.status?.hostIP);
    assert.match(await engine.kube('exec', 'host', '--', 'ps'), /^\s*1 /m);
  });

  test('/etc/hosts, /etc/resolv.conf and the host name are the pod’s', async () => {
    const pod = podOf('names', [shell('app', 'exec sleep 3600')], {
      hostAliases: [{ ip: '10.9.8.7', hostnames: ['one.example', 'two.example'] }],
      dnsPolicy: 'None',
      dnsConfig: {
        nameservers: ['192.0.2.53'],
        searches: ['example.org'],
        options: [{ name: 'ndots', value: '3' }],
      },
    });
    await engine.api.create(PODS, pod);
    await engine.waitReady('names');
    const ip = (await engine.pod('names')).status?.podIP ?? '';
    const read = (path: string) => engine.kube('exec', 'names', '--', 'cat', path);
    const hosts = await read('/etc/hosts');
    assert.match(hosts, new RegExp(`^${ip.replaceAll('.', '\\.')}\\s+names$`, 'm'));
    assert.match(hosts, /^10\.9\.8\.7\s+one\.example\s+two\.example$/m);
    const resolv = await read('/etc/resolv.conf');
    assert.match(resolv, /^nameserver 192\.0\.2\.53$/m);
    assert.match(resolv, /^search example\.org$/m);
    assert.match(resolv, /^options ndots:3$/m);
    assert.equal(await engine.kube('exec', 'names', '--', 'hostname'), 'names\n');
  });
});
