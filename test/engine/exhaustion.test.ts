// What runs out: the disk under each of the engine's directories, and a container's memory. The engine says so, goes on,
// and what was acknowledged is still there.
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { CONFIG_MAPS, PODS } from '../../src/client/resources.ts';
import { eventually, run, TestEngine } from '../lib/engine.ts';
import { podOf, shell } from '../lib/manifests.ts';
import { processesOf } from '../lib/processes.ts';

/** Takes every byte that is left; returns the undo. */
async function fill(dir: string): Promise<() => void> {
  const path = join(dir, 'filler');
  await run('dd', ['if=/dev/zero', `of=${path}`, 'bs=64k']);
  await run('dd', ['if=/dev/zero', `of=${path}-rest`, 'bs=512']);
  return () => {
    rmSync(path, { force: true });
    rmSync(`${path}-rest`, { force: true });
  };
}

describe('what runs out', () => {
  const engine = new TestEngine({
    small: { data: 96, run: 16, log: 8 },
    // What happens when the disk is full, not before.
    arguments: ['--eviction-hard', ''],
  });
  before(async () => {
    await engine.start();
    await engine.loadImage('busybox');
    await engine.api.create(PODS, podOf('bystander', [shell('app', 'exec sleep 3600')]));
    await engine.waitReady('bystander');
  });
  after(() => engine.close());

  const bystander = async () => {
    const { metadata, status } = await engine.pod('bystander');
    const pids = processesOf(metadata?.uid ?? '').map(({ pid }) => pid);
    return { pids, restarts: status?.containerStatuses?.[0]?.restartCount };
  };
  const configMap = (name: string) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace: 'default', name },
    data: { text: 'x'.repeat(20_000) },
  });

  test('a full data directory refuses writes and loses none that it took', async () => {
    const first = await bystander();
    const free = await fill(engine.dataDir);
    const taken: string[] = [];
    const refused: string[] = [];
    for (let index = 0; index < 300 && refused.length < 3; index += 1) {
      const name = `map-${index}`;
      await engine.api.create(CONFIG_MAPS, configMap(name)).then(
        () => taken.push(name),
        (error: unknown) => refused.push(String(error)),
      );
    }
    assert.ok(refused.length > 0, 'with no byte left some write must be refused');
    free();
    await engine.api.create(CONFIG_MAPS, configMap('afterwards'));
    await engine.kill();
    await engine.start();
    const { items } = await engine.api.list(CONFIG_MAPS, { namespace: 'default' });
    const found = items.map(({ metadata }) => metadata?.name);
    for (const name of [...taken, 'afterwards']) assert.ok(found.includes(name), `${name} was acknowledged`);
    assert.deepEqual(await bystander(), first);
  });

  test('a full run directory delays a pod, and says why, until there is room', async () => {
    const first = await bystander();
    const free = await fill(engine.runDir);
    await engine.api.create(PODS, podOf('late', [shell('app', 'exec sleep 3600')]));
    await eventually('the reason is told', async () =>
      /ENOSPC|no space left/i.test(await engine.kube('get', 'events', '-o', 'json')) ? true : undefined,
    );
    assert.deepEqual(await bystander(), first);
    free();
    await engine.waitReady('late');
    await engine.kube('delete', 'pod', 'late');
  });

  test('a container that fills the log directory hurts nobody else', async () => {
    const first = await bystander();
    await engine.api.create(
      PODS,
      podOf('noisy', [shell('app', 'while :; do head -c 100000 /dev/zero | tr "\\\\0" x; echo; done')]),
    );
    await eventually('the directory is full', async () => {
      const { stdout } = await run('df', ['--output=avail', engine.logDir]);
      return Number(stdout.split('\n')[1]) < 100 ? true : undefined;
    });
    assert.deepEqual(await bystander(), first);
    assert.equal((await engine.kube('exec', 'bystander', '--', 'echo', 'here')).trim(), 'here');
    await engine.kube('delete', 'pod', 'noisy', '--timeout=120s');
    await engine.api.create(PODS, podOf('quiet', [shell('app', 'echo words; exec sleep 3600')]));
    await engine.waitReady('quiet');
    assert.equal(await engine.kube('logs', 'quiet'), 'words\n');
  });

  test('a container over its memory limit is told as OOMKilled, and comes back alone', async () => {
    const first = await bystander();
    const hungry = shell('hungry', 'exec tail /dev/zero', { resources: { limits: { memory: '24Mi' } } });
    await engine.api.create(PODS, podOf('oom', [hungry, shell('beside', 'exec sleep 3600')]));
    const pod = await eventually('it was killed', async () => {
      const found = await engine.pod('oom');
      const status = found.status?.containerStatuses?.find(({ name }) => name === 'hungry');
      return (status?.lastState?.terminated ?? status?.state?.terminated) === undefined ? undefined : found;
    });
    const status = pod.status?.containerStatuses?.find(({ name }) => name === 'hungry');
    const end = status?.lastState?.terminated ?? status?.state?.terminated;
    assert.deepEqual([end?.reason, end?.exitCode], ['OOMKilled', 137]);
    assert.equal(pod.status?.containerStatuses?.find(({ name }) => name === 'beside')?.restartCount, 0);
    assert.deepEqual(await bystander(), first);
  });

  test('processes without end stay within the pod', async () => {
    writeFileSync(
      join(engine.dir, 'forks.json'),
      JSON.stringify(podOf('forks', [shell('app', 'for i in $(seq 500); do sleep 3600 & done; wait')])),
    );
    await engine.kube('apply', '-f', join(engine.dir, 'forks.json'));
    await engine.waitReady('forks');
    const { metadata } = await engine.pod('forks');
    await engine.kube('delete', 'pod', 'forks', '--grace-period=1', '--timeout=120s');
    assert.deepEqual(processesOf(metadata?.uid ?? ''), []);
  });
});
