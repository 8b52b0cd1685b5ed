// Debian's python3-kubernetes: the client of a distribution, years older than the API it talks to.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { run, TestEngine } from '../lib/engine.ts';
import { BUSYBOX } from '../lib/manifests.ts';

test('python3-kubernetes creates, watches, execs, reads logs, patches and deletes', {
  timeout: 180_000,
}, async (t) => {
  const engine = new TestEngine();
  t.after(() => engine.close());
  await engine.start();
  await engine.loadImage('busybox');
  const env = { KUBECONFIG: engine.kubeconfig };
  const script = join(import.meta.dirname, 'client.py');
  const { code, stdout, stderr } = await run('/usr/bin/python3', ['-W', 'ignore', script, BUSYBOX], env);
  assert.equal(code, 0, `${stdout}${stderr}`);
  assert.deepEqual(stdout.trim().split('\n'), [
    'created python True',
    'watched Pending Running',
    "executed ['err', 'out']",
    'answered got input 4',
    'logged hello',
    'patched python',
    'refused 409 Conflict',
    'deleted 0',
  ]);
});
