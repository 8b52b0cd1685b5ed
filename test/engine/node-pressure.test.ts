// The node keeps itself in order, on real disks and containers: logs are rotated, limits on the disk hold, pressure is told
// and fought.
import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { NODES, PODS } from '../../src/client/resources.ts';
import { eventually, TestEngine } from '../lib/engine.ts';
import { BUSYBOX, podOf, shell } from '../lib/manifests.ts';

const REFUSED = 'Pod was rejected: The node had condition: [MemoryPressure]. ';

describe('a node in order', { timeout: 240_000 }, () => {
  const engine = new TestEngine({
    small: { data: 300 },
    arguments: [
      ...['--container-log-max-size', '64Ki', '--container-log-max-files', '3'],
      ...['--eviction-hard', 'nodefs.available<30%', '--eviction-pressure-transition-period', '1s'],
    ],
  });
  before(async () => {
    await engine.start();
    await engine.loadImage('busybox');
  });
  after(() => engine.close());

  const evicted = (name: string): Promise<string> =>
    eventually(
      `${name} is evicted`,
      async () => {
        const { phase, reason, message } = (await engine.pod(name)).status ?? {};
        return phase === 'Failed' && reason === 'Evicted' ? message : undefined;
      },
      90_000,
    );
  const hasDiskPressure = async (): Promise<boolean> => {
    const node = await engine.api.get(NODES, { name: 'test-node' });
    const isTainted = (node.spec?.taints ?? []).some(({ key }) => key === 'node.kubernetes.io/disk-pressure');
    const condition = node.status?.conditions?.find(({ type }) => type === 'DiskPressure');
    return condition?.status === 'True' && isTainted;
  };

  test('kubectl logs -f goes on over rotations, each line once', async () => {
    const line = 'x'.repeat(200);
    const script = `i=0; while [ $i -lt 1500 ]; do i=$((i+1)); echo "$i ${line}"; usleep 20000; done`;
    await engine.api.create(PODS, podOf('talks', [shell('app', script)], { restartPolicy: 'Never' }));
    await engine.waitReady('talks');
    const followed = await engine.kube('logs', '-f', 'talks');
    const numbers = followed
      .trim()
      .split('\n')
      .map((one) => Number(one.split(' ')[0]));
    assert.deepEqual(
      numbers,
      Array.from({ length: 1500 }, (_, index) => index + 1),
    );
    const files = globSync(join(engine.logDir, 'pods/default_talks_*/app/0.log*'));
    assert.ok(files.length > 1 && files.length <= 3, files.join(' '));
  });

  test('an emptyDir and a writable layer over their limit end their pod, and its disk is free again', async () => {
    const fill = 'dd if=/dev/zero of=$0/file bs=1M count=8; sleep 1000';
    const limits = { 'ephemeral-storage': '4Mi' };
    const volumes = [{ name: 'v', emptyDir: { sizeLimit: '4Mi' } }];
    const mounted = { volumeMounts: [{ name: 'v', mountPath: '/v' }], command: ['sh', '-c', fill, '/v'] };
    await engine.api.create(
      PODS,
      podOf('volume', [{ name: 'app', image: BUSYBOX, ...mounted }], { volumes }),
    );
    const layer = { name: 'app', image: BUSYBOX, command: ['sh', '-c', fill, '/'], resources: { limits } };
    await engine.api.create(PODS, podOf('layer', [layer]));
    assert.equal(await evicted('volume'), 'Usage of EmptyDir volume "v" exceeds the limit "4Mi". ');
    assert.equal(
      await evicted('layer'),
      'Pod ephemeral local storage usage exceeds the total limit of containers 4Mi. ',
    );
    await eventually('nothing of them is left', () =>
      globSync(join(engine.dataDir, 'pods/*/**/file')).length === 0 ? true : undefined,
    );
    const told = await engine.kube('describe', 'pod', 'volume');
    assert.match(told, /Reason: +Evicted/);
    assert.match(told, /Warning +Evicted .*Usage of EmptyDir volume "v" exceeds the limit "4Mi"/);
  });

  test('a full disk is told as a condition and a taint; the pod that took it goes, the other stays', async () => {
    await engine.api.create(PODS, podOf('modest', [shell('app', 'sleep 1000')]));
    await engine.waitReady('modest');
    const fill = 'dd if=/dev/zero of=/file bs=1M count=240; sleep 1000';
    await engine.api.create(PODS, podOf('greedy', [shell('app', fill)]));
    const message = await evicted('greedy');
    assert.match(
      message,
      /^The node was low on resource: ephemeral-storage\. Threshold quantity: \d+\w*, available: \d+\w*\. Container app was using \d+\w*, request is 0, has larger consumption of ephemeral-storage\. $/,
    );
    const conditions = (await engine.pod('greedy')).status?.conditions ?? [];
    assert.equal(conditions.find(({ type }) => type === 'DisruptionTarget')?.reason, 'TerminationByKubelet');
    assert.match(
      await engine.kube('get', 'events'),
      /EvictionThresholdMet.*Attempting to reclaim ephemeral-storage/,
    );
    await eventually(
      'the pressure is over',
      async () => ((await hasDiskPressure()) ? undefined : true),
      60_000,
    );
    assert.equal((await engine.pod('modest')).status?.phase, 'Running');
  });
});

describe('a node short of memory', { timeout: 180_000 }, () => {
  const engine = new TestEngine({
    // No machine has it: the pressure is real from the first look on, and the pods have a while to come up.
    arguments: [
      ...['--eviction-hard', '', '--eviction-soft', 'memory.available<1Ei'],
      ...['--eviction-soft-grace-period', 'memory.available=30s', '--eviction-max-pod-grace-period', '1s'],
    ],
  });
  before(async () => {
    await engine.start();
    await engine.loadImage('busybox');
  });
  after(() => engine.close());

  test('the pod that holds more than it asked for goes first; BestEffort pods are refused from then on', async () => {
    const fill = 'dd if=/dev/zero of=/memory/file bs=1M count=48; exec sleep 3600';
    const greedy = shell('app', fill, {
      resources: { requests: { memory: '1Mi' } },
      volumeMounts: [{ name: 'memory', mountPath: '/memory' }],
    });
    const volumes = [{ name: 'memory', emptyDir: { medium: 'Memory' } }];
    const resources = { requests: { memory: '256Mi' } };
    await engine.api.create(PODS, podOf('greedy', [greedy], { volumes }));
    await engine.api.create(PODS, podOf('modest', [shell('app', 'exec sleep 3600', { resources })]));
    const first = await eventually(
      'one of them is evicted',
      async () => {
        const pods = await Promise.all(['greedy', 'modest'].map((name) => engine.pod(name)));
        return pods.find(({ status }) => status?.reason === 'Evicted');
      },
      90_000,
    );
    assert.equal(first.metadata?.name, 'greedy');
    assert.match(
      first.status?.message ?? '',
      /^The node was low on resource: memory\. Threshold quantity: 1Ei, available: \d+\w*\. Container app was using \d+\w*, request is 1Mi, has larger consumption of memory\. $/,
    );
    const late = podOf('late', [shell('app', 'sleep 3600')], {
      nodeName: 'test-node',
      tolerations: [{ key: 'other', operator: 'Exists' }],
    });
    await engine.api.create(PODS, late);
    await eventually('it is refused', async () => {
      const { reason, message } = (await engine.pod('late')).status ?? {};
      return reason === 'Evicted' && message === REFUSED ? true : undefined;
    });
  });
});
