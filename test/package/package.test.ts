// What `npm pack` makes, installed globally into a scratch prefix, runs a pod: compiled JavaScript, its own Node, the
// pause image, and no file of the checkout.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ROOT, run, TestEngine } from '../lib/engine.ts';
import { podOf, shell } from '../lib/manifests.ts';

/** `npm test` tells its scripts how it was called itself; taken over by another npm, that breaks a global install. */
const OWN_SETTINGS = Object.fromEntries(
  Object.keys(process.env)
    .filter((name) => name.startsWith('npm_'))
    .map((name) => [name, undefined]),
);

async function npm(...args: string[]): Promise<void> {
  const { code, stderr } = await run(
    'npm',
    [...args, '--no-audit', '--no-fund', '--prefer-offline'],
    OWN_SETTINGS,
  );
  assert.equal(code, 0, `npm ${args.join(' ')}: ${stderr}`);
}

describe('the npm package', () => {
  const scratch = mkdtempSync('/var/tmp/podwright-package-');
  const prefix = join(scratch, 'prefix');
  let engine: TestEngine;
  before(async () => {
    await npm('pack', ROOT, '--pack-destination', scratch);
    const tarball =
      readdirSync(scratch).find((name) => name.endsWith('.tgz')) ?? assert.fail('npm pack made nothing');
    await npm('install', '--global', '--ignore-scripts', '--prefix', prefix, join(scratch, tarball));
    engine = new TestEngine({ program: join(prefix, 'bin/podwright') });
    await engine.start();
    await engine.loadImage('busybox');
  });
  after(async () => {
    await engine?.close();
    rmSync(scratch, { recursive: true, force: true });
  });

  test('up, ps, exec, logs and down', async () => {
    const file = join(scratch, 'pod.json');
    writeFileSync(
      file,
      JSON.stringify(podOf('packed', [shell('app', 'echo from the package; exec sleep 3600')])),
    );
    const ok = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await engine.podwright(...args);
      assert.equal(code, 0, `podwright ${args.join(' ')}: ${stderr}`);
      return stdout;
    };
    await ok('up', '--detach', file);
    assert.match(await ok('ps'), /^packed\s+1\/1\s+Running/m);
    assert.equal(await ok('exec', 'packed', '--', 'hostname'), 'packed\n');
    assert.equal(await ok('logs', 'packed'), 'from the package\n');
    await ok('down', 'packed');
    assert.deepEqual(engine.traces(), []);
  });
});
