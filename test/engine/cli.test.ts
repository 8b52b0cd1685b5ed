// The command line against a real engine, as a user types it.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Container, Pod } from '../../src/kube/api-types.ts';
import { eventually, IMAGES, type Output, TestEngine } from '../lib/engine.ts';
import { BUSYBOX, podOf, shell } from '../lib/manifests.ts';
import { startRegistry, USER } from '../lib/registry.ts';

describe('podwright on the command line', () => {
  const manifests = mkdtempSync('/var/tmp/podwright-static-pods-');
  const engine = new TestEngine({ arguments: ['--manifests', manifests] });
  before(async () => {
    await engine.start();
    await engine.loadImage('busybox');
  });
  after(async () => {
    await engine.close();
    rmSync(manifests, { recursive: true, force: true });
  });

  const fileOf = (pod: Pod): string => {
    const file = join(engine.dir, `${pod.metadata?.name}.json`);
    writeFileSync(file, JSON.stringify(pod));
    return file;
  };
  const ok = async (...args: string[]): Promise<string> => {
    const output = await engine.podwright(...args);
    assert.equal(output.code, 0, `podwright ${args.join(' ')}: ${output.stderr}`);
    return output.stdout;
  };
  const once = (name: string, containers: readonly Container[]): Promise<Output> =>
    engine.podwright('up', fileOf(podOf(name, containers, { restartPolicy: 'Never' })));

  test('up follows pods to their end: prefixed logs, and the failed container’s exit code', async () => {
    const done = await once('done', [shell('a', 'echo one line'), shell('b', 'sleep 0.2')]);
    assert.equal(done.code, 0, done.stderr);
    assert.match(done.stdout, /^done\/a \| one line$/m);
    const failed = await once('failed', [shell('a', 'exit 7')]);
    assert.equal(failed.code, 7);
    await ok('rm', 'done', 'failed');
  });

  test('up --detach ends with 0 when all are ready, and with 1 and the reason when they cannot be', async () => {
    await ok('up', '--detach', fileOf(podOf('fine', [shell('a', 'exec sleep 3600')])));
    const missing: Container = { name: 'a', image: 'localhost/absent:1', imagePullPolicy: 'Never' };
    const bad = await engine.podwright('up', '--detach', '--timeout', '5s', fileOf(podOf('bad', [missing])));
    assert.equal(bad.code, 1);
    assert.match(bad.stdout + bad.stderr, /ErrImageNeverPull/);
    await ok('rm', 'bad');
  });

  test('ps, logs, exec, events, kubeconfig', async () => {
    const list = JSON.parse(await ok('ps', '-o', 'json')) as { readonly items: readonly Pod[] };
    assert.deepEqual(
      list.items.map(({ metadata }) => metadata?.name),
      ['fine'],
    );
    const failing = await engine.podwright(
      'exec',
      'fine',
      '--',
      'sh',
      '-c',
      'echo out; echo err >&2; exit 5',
    );
    assert.deepEqual(failing, { code: 5, stdout: 'out\n', stderr: 'err\n' });
    assert.match(await ok('events', 'fine'), /Started/);
    const path = (await ok('kubeconfig')).trim();
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const unknown = await engine.podwright('logs', 'nobody');
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /pods "nobody" not found/);
  });

  test('image ls and rm: an image in use stays', async () => {
    assert.match(await ok('image', 'ls'), /localhost\/podwright\/busybox/);
    const used = await engine.podwright('image', 'rm', BUSYBOX);
    assert.equal(used.code, 1);
    assert.match(used.stderr, /in use|uses/);
  });

  test('down stops gracefully and ends when nothing is left', async () => {
    await ok('down', 'fine');
    assert.deepEqual(engine.traces(), []);
    await ok('image', 'rm', BUSYBOX);
    assert.doesNotMatch(await ok('image', 'ls'), /busybox/);
    await engine.loadImage('busybox');
  });

  test('image pull from a registry that asks for a password, and a pod that pulls by its secret', async () => {
    const registry = await startRegistry('password');
    try {
      registry.push(join(IMAGES, 'busybox.tar'), 'team/busybox:1');
      const image = `${registry.address}/team/busybox:1`;
      const refused = await engine.podwright('image', 'pull', image);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /unauthorized|authentication required/i);
      await ok('image', 'pull', '--creds', `${USER.username}:${USER.password}`, image);
      await ok('image', 'rm', image);

      const account = ['--docker-server', registry.address, '--docker-username', USER.username];
      await engine.kube(
        'create',
        'secret',
        'docker-registry',
        'pull',
        ...account,
        '--docker-password',
        USER.password,
      );
      const app: Container = { name: 'a', image, command: ['sleep', '3600'] };
      await ok('up', '--detach', fileOf(podOf('private', [app], { imagePullSecrets: [{ name: 'pull' }] })));
      await ok('rm', 'private');
    } finally {
      await registry.close();
    }
  });

  test('a manifest in the static directory runs for as long as it is there', async () => {
    const file = join(manifests, 'web.json');
    writeFileSync(file, JSON.stringify(podOf('static', [shell('a', 'exec sleep 3600')])));
    const name = 'static-test-node';
    await eventually(
      'it runs',
      async () => (await engine.kubectl('get', 'pod', name)).stdout.includes('Running') || undefined,
    );
    rmSync(file);
    await eventually(
      'it is gone',
      async () => (await engine.kubectl('get', 'pod', name)).code !== 0 || undefined,
    );
  });

  test('without an engine, what is missing is named', async () => {
    const stranger = new TestEngine();
    const { code, stderr } = await stranger.podwright('ps');
    assert.equal(code, 1);
    assert.match(stderr, /no engine/);
    assert.match(stderr, /podwright serve/);
    rmSync(stranger.dir, { recursive: true });
  });
});
