// Probes, hooks, restart rules and resizes on real containers: what only a kernel, a runtime and a network can show.
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { PODS } from '../../src/client/resources.ts';
import { eventually, TestEngine } from '../lib/engine.ts';
import { podOf, shell } from '../lib/manifests.ts';

describe('probes, hooks, restart rules and resizes', () => {
  const engine = new TestEngine();
  before(async () => {
    await engine.start();
    await engine.loadImage('busybox');
  });
  after(() => engine.close());

  const conditionOf = async (name: string, type: string): Promise<string | undefined> =>
    (await engine.pod(name)).status?.conditions?.find((one) => one.type === type)?.status;

  test('readiness by http comes and goes; liveness by exec restarts; events say why', async () => {
    const server = 'touch /tmp/ready; exec httpd -f -p 8080 -h /tmp';
    const app = shell('app', server, {
      ports: [{ name: 'web', containerPort: 8080 }],
      startupProbe: { tcpSocket: { port: 'web' }, periodSeconds: 1, failureThreshold: 20 },
      readinessProbe: { httpGet: { path: '/ready', port: 'web' }, periodSeconds: 1, failureThreshold: 1 },
      livenessProbe: {
        exec: { command: ['test', '!', '-e', '/tmp/sick'] },
        periodSeconds: 1,
        failureThreshold: 1,
      },
    });
    await engine.api.create(PODS, podOf('probed', [app]));
    await engine.waitReady('probed');
    assert.equal((await engine.pod('probed')).status?.containerStatuses?.[0]?.started, true);

    await engine.kube('exec', 'probed', '--', 'rm', '/tmp/ready');
    await eventually('it is not ready', async () =>
      (await conditionOf('probed', 'Ready')) === 'False' ? true : undefined,
    );
    await engine.kube('exec', 'probed', '--', 'touch', '/tmp/ready');
    await engine.waitReady('probed');

    await engine.kube('exec', 'probed', '--', 'touch', '/tmp/sick');
    await eventually('it is restarted', async () =>
      (await engine.pod('probed')).status?.containerStatuses?.[0]?.restartCount === 1 ? true : undefined,
    );
    await engine.waitReady('probed');
    const told = await engine.kube('describe', 'pod', 'probed');
    assert.match(told, /Unhealthy .*Readiness probe failed: HTTP probe failed with statuscode: 404/);
    assert.match(told, /Unhealthy .*Liveness probe failed:/);
    assert.match(told, /Killing .*Container app failed liveness probe, will be restarted/);

    // A restarted engine makes nothing unready.
    const before = (await engine.pod('probed')).metadata?.resourceVersion;
    const ready = (await engine.pod('probed')).status?.conditions?.find(({ type }) => type === 'Ready');
    await engine.kill();
    await engine.start();
    await engine.waitReady('probed');
    const again = (await engine.pod('probed')).status?.conditions?.find(({ type }) => type === 'Ready');
    assert.equal(again?.lastTransitionTime, ready?.lastTransitionTime, `since revision ${before}`);
  });

  test('postStart holds up Running; preStop runs before the stop signal, again after a crash of the engine', async () => {
    const app = shell('app', 'trap "echo usr1 >> /data/story; exit 0" USR1; while :; do sleep 0.1; done', {
      volumeMounts: [{ name: 'data', mountPath: '/data' }],
      lifecycle: {
        postStart: { exec: { command: ['sh', '-c', 'sleep 1; echo greeted >> /data/story'] } },
        preStop: {
          exec: { command: ['sh', '-c', 'echo leaving >> /data/story; sleep 2; echo left >> /data/story'] },
        },
        stopSignal: 'SIGUSR1',
      },
    });
    const dir = `${engine.dir}/story`;
    const spec = {
      os: { name: 'linux' },
      terminationGracePeriodSeconds: 30,
      volumes: [{ name: 'data', hostPath: { path: dir, type: 'DirectoryOrCreate' } }],
    };
    await engine.api.create(PODS, podOf('hooked', [app], spec));
    const read = (): string => readFileSync(`${dir}/story`, { encoding: 'utf8', flag: 'a+' });
    const waiting = await eventually(
      'it is being created',
      async () => (await engine.pod('hooked')).status?.containerStatuses?.[0]?.state?.waiting?.reason,
    );
    assert.equal(waiting, 'ContainerCreating');
    await engine.waitReady('hooked');
    assert.equal(read(), 'greeted\n');
    await engine.kube('delete', 'pod', 'hooked', '--wait=false');
    await eventually('preStop has begun', async () => (read().includes('leaving') ? true : undefined));
    await engine.kill();
    await engine.start();
    await eventually('the pod is gone', async () =>
      (await engine.kubectl('get', 'pod', 'hooked')).code === 1 ? true : undefined,
    );
    const story = read().trim().split('\n');
    assert.equal(story.filter((line) => line === 'leaving').length, 2, 'the hook was begun again');
    assert.equal(story.at(-1), 'usr1', 'and the signal came after it');
  });

  test('an exit code restarts all containers in place: same sandbox and address, init containers again', async () => {
    const mount = { volumeMounts: [{ name: 'data', mountPath: '/data' }] };
    // Only what has run is restarted: the exit waits for the other container.
    const first = 'until [ -e /data/other ]; do sleep 0.1; done; exit 42';
    const app = shell('app', `test $(wc -l < /data/runs) -gt 1 || { ${first}; }; exec sleep 3731`, {
      ...mount,
      restartPolicy: 'Never',
      restartPolicyRules: [{ action: 'RestartAllContainers', exitCodes: { operator: 'In', values: [42] } }],
    });
    const spec = {
      restartPolicy: 'Never',
      volumes: [{ name: 'data', emptyDir: {} }],
      initContainers: [shell('init', 'echo run >> /data/runs', mount)],
    };
    const other = shell('other', 'touch /data/other; exec sleep 3732', mount);
    await engine.api.create(PODS, podOf('again', [app, other], spec));
    const pod = await eventually('all containers have run twice', async () => {
      const found = await engine.pod('again');
      const all = [
        ...(found.status?.initContainerStatuses ?? []),
        ...(found.status?.containerStatuses ?? []),
      ];
      return all.length === 3 && all.every(({ restartCount, ready }) => restartCount === 1 && ready)
        ? found
        : undefined;
    });
    assert.equal(await engine.kube('exec', 'again', '-c', 'app', '--', 'cat', '/data/runs'), 'run\nrun\n');
    const restarting = pod.status?.conditions?.find(({ type }) => type === 'PodRestartInPlace');
    assert.notEqual(restarting?.status, 'True');
    assert.doesNotMatch(await engine.kube('describe', 'pod', 'again'), /SandboxChanged/);
  });

  test('a resize changes the cgroups of the running container and of its pod', async () => {
    const of = (cpu: string, memory: string) => ({ limits: { cpu, memory }, requests: { cpu, memory } });
    await engine.api.create(
      PODS,
      podOf('sized', [shell('app', 'exec sleep 3721', { resources: of('100m', '32Mi') })]),
    );
    await engine.waitReady('sized');
    const limits = async (): Promise<string> => {
      const { metadata } = await engine.pod('sized');
      return cgroupLimits(`pod${metadata?.uid}`, 'app').join();
    };
    assert.equal(await limits(), '10000,33554432,10000,33554432');
    for (const [cpu, memory, wanted] of [
      ['200m', '64Mi', '20000,67108864,20000,67108864'],
      ['150m', '48Mi', '15000,50331648,15000,50331648'],
    ] as const) {
      const patch = JSON.stringify({ spec: { containers: [{ name: 'app', resources: of(cpu, memory) }] } });
      await engine.kube('patch', 'pod', 'sized', '--subresource=resize', '-p', patch);
      await eventually(`it has ${cpu} and ${memory}`, async () => {
        const [status] = (await engine.pod('sized')).status?.containerStatuses ?? [];
        return status?.resources?.limits?.cpu === cpu ? true : undefined;
      });
      assert.equal(await limits(), wanted);
    }
    assert.equal((await engine.pod('sized')).status?.containerStatuses?.[0]?.restartCount, 0);
    const refused = await engine.kubectl(
      ...['patch', 'pod', 'sized', '--subresource=resize', '-p'],
      '{"spec":{"containers":[{"name":"app","resources":{"requests":{"cpu":"50m"}}}]}}',
    );
    assert.match(refused.stderr, /Pod QOS Class may not change as a result of resizing/);
  });

  test('a resize of pod-level resources changes the pod’s cgroup and restarts nothing', async () => {
    const of = (cpu: string, memory: string) => ({ limits: { cpu, memory }, requests: { cpu, memory } });
    await engine.api.create(
      PODS,
      podOf('level', [shell('app', 'exec sleep 3721')], { resources: of('100m', '32Mi') }),
    );
    await engine.waitReady('level');
    const { metadata } = await engine.pod('level');
    const ofPod = (): string => cgroupLimits(`pod${metadata?.uid}`, 'app').slice(0, 2).join();
    assert.equal(ofPod(), '10000,33554432');
    const patch = JSON.stringify({ spec: { resources: of('200m', '64Mi') } });
    await engine.kube('patch', 'pod', 'level', '--subresource=resize', '-p', patch);
    await eventually('it is told', async () =>
      (await engine.pod('level')).status?.resources?.limits?.cpu === '200m' ? true : undefined,
    );
    assert.equal(ofPod(), '20000,67108864');
    assert.equal((await engine.pod('level')).status?.containerStatuses?.[0]?.restartCount, 0);
    const add = '{"spec":{"resources":{"limits":{"hugepages-2Mi":"2Mi"}}}}';
    const refused = await engine.kubectl('patch', 'pod', 'level', '--subresource=resize', '-p', add);
    assert.match(refused.stderr, /spec\.resources\.limits.*only cpu and memory resources are mutable/);
  });
});

/** cpu quota and memory limit of the pod's group, then of the container's, on cgroup v1 or v2. */
function cgroupLimits(pod: string, container: string): readonly string[] {
  const dirs = (root: string): readonly string[] => {
    const found = globSync(`${root}/podwright-*/*/${pod}`)[0] ?? assert.fail(`no group of ${pod} in ${root}`);
    return [found, globSync(`${found}/*_${container}_*`)[0] ?? assert.fail(`no group of ${container}`)];
  };
  const read = (dir: string, file: string): string => readFileSync(join(dir, file), 'utf8').trim();
  if (existsSync('/sys/fs/cgroup/cgroup.controllers'))
    return dirs('/sys/fs/cgroup').flatMap((dir) => [
      read(dir, 'cpu.max').split(' ')[0] ?? '',
      read(dir, 'memory.max'),
    ]);
  const cpus = dirs('/sys/fs/cgroup/cpu').map((dir) => read(dir, 'cpu.cfs_quota_us'));
  const memories = dirs('/sys/fs/cgroup/memory').map((dir) => read(dir, 'memory.limit_in_bytes'));
  return cpus.flatMap((cpu, index) => [cpu, memories[index] ?? '']);
}
