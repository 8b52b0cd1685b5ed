// The machine starts again: every process, mount and namespace and the run directory are gone, the disk is as it was.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { PODS } from '../../src/client/resources.ts';
import { eventually, TestEngine } from '../lib/engine.ts';
import { podOf, shell } from '../lib/manifests.ts';
import { holdings } from '../lib/soak/holdings.ts';
import { isStillAlive, look } from '../lib/soak/observer.ts';

const DATA = { volumeMounts: [{ name: 'data', mountPath: '/data' }] };

/** Takes away what a reboot takes away, and nothing else. */
async function reboot(engine: TestEngine): Promise<void> {
  await engine.kill();
  const processes = look(engine.instance);
  const monitors = holdings(engine).flatMap(({ what }) => /^process (\d+)/.exec(what)?.[1] ?? []);
  for (const pid of [...processes.map((seen) => seen.pid), ...monitors.map(Number)])
    process.kill(pid, 'SIGKILL');
  await eventually('all of them are gone', () => (processes.some(isStillAlive) ? undefined : true));
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '');
  for (const target of mounts.filter((one) => one.startsWith(`${engine.dir}/`)).reverse())
    execFileSync('umount', ['-l', target]);
  rmSync(engine.runDir, { recursive: true });
  execFileSync('ip', ['link', 'delete', `pw-${engine.instance}`]);
  execFileSync('nft', ['delete', 'table', 'ip', `podwright-${engine.instance}`]);
}

describe('a reboot', () => {
  const engine = new TestEngine();
  before(async () => {
    await engine.start();
    await engine.loadImage('busybox');
  });
  after(() => engine.close());

  test('pods with policy Always or OnFailure come back: same object, volumes on disk, new sandbox; Never has failed', async () => {
    const app = shell('app', 'echo start >> /data/starts; exec sleep 3600', DATA);
    const more = { volumes: [{ name: 'data', emptyDir: {} }] };
    const uids = new Map<string, string | undefined>();
    for (const restartPolicy of ['Always', 'OnFailure', 'Never'] as const) {
      const name = `pod-${restartPolicy.toLowerCase()}`;
      const created = await engine.api.create(PODS, podOf(name, [app], { ...more, restartPolicy }));
      uids.set(name, created.metadata?.uid);
      await engine.waitReady(name);
    }
    await reboot(engine);
    await engine.start();
    for (const name of ['pod-always', 'pod-onfailure']) {
      await eventually(`${name} runs again`, async () => {
        const [status] = (await engine.pod(name)).status?.containerStatuses ?? [];
        return status?.state?.running &&
          (await engine.kubectl('exec', name, '--', 'cat', '/data/starts')).code === 0
          ? true
          : undefined;
      });
      await engine.waitReady(name);
      assert.equal((await engine.pod(name)).metadata?.uid, uids.get(name));
      assert.equal(await engine.kube('exec', name, '--', 'cat', '/data/starts'), 'start\nstart\n');
    }
    const never = await eventually('the pod with Never is over', async () => {
      const pod = await engine.pod('pod-never');
      return pod.status?.phase === 'Failed' ? pod : undefined;
    });
    assert.equal(never.metadata?.uid, uids.get('pod-never'));
    const addresses = [...uids.keys()]
      .slice(0, 2)
      .map(async (name) => (await engine.pod(name)).status?.podIP);
    assert.equal(new Set(await Promise.all(addresses)).size, 2, 'each has an address of its own');
  });
});
