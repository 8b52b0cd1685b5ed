// podwright trace on a real engine: every step of a pod's start, in its order.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { PODS } from '../../src/client/resources.ts';
import { TestEngine } from '../lib/engine.ts';
import { podOf, shell } from '../lib/manifests.ts';

test('a pod tells how it was started', async () => {
  const engine = new TestEngine();
  try {
    await engine.start();
    await engine.loadImage('busybox');
    await engine.api.create(PODS, podOf('traced', [shell('main', 'exec sleep 3600')]));
    await engine.waitReady('traced');
    const { code, stdout, stderr } = await engine.podwright('trace', 'pod/traced');
    assert.equal(code, 0, stderr);
    const steps = [
      'createSandbox',
      'sandbox: infra container',
      'sandbox: network',
      'createContainer main',
      'startContainer main',
    ];
    const at = steps.map((step) => stdout.indexOf(step));
    assert(
      at.every((index) => index >= 0),
      stdout,
    );
    assert.deepEqual(
      [...at].sort((a, b) => a - b),
      at,
      stdout,
    );
    const picture = join(engine.dir, 'trace.svg');
    assert.equal((await engine.podwright('trace', 'traced', '--svg', picture)).code, 0);
    assert(existsSync(picture) && readFileSync(picture, 'utf8').startsWith('<svg '));
    const missing = await engine.podwright('trace', 'nobody');
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /pods "nobody" not found/);
  } finally {
    await engine.close();
  }
});
