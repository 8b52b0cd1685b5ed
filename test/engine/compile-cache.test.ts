// What Node compiled is kept for the next start: also by an engine that is killed, and by the command line.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually, ROOT, run, TestEngine } from '../lib/engine.ts';

const filesBelow = (dir: string): number =>
  readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length;

test('an engine that is killed has kept what Node compiled', async () => {
  const cache = mkdtempSync(join(tmpdir(), 'podwright-cache-'));
  const engine = new TestEngine({ env: { NODE_COMPILE_CACHE: cache } });
  try {
    await engine.start();
    const kept = () => (filesBelow(cache) > 100 ? true : undefined);
    await eventually('what was compiled is kept while it runs', kept);
    await engine.kill('SIGKILL');
  } finally {
    await engine.close();
    rmSync(cache, { recursive: true });
  }
});

test('the command line keeps it where nobody else can write', async () => {
  const { code, stdout } = await run(join(ROOT, 'podwright'), ['--version'], { NODE_COMPILE_CACHE: '' });
  assert.equal(code, 0);
  assert.match(stdout, /^\d+\.\d+\.\d+/);
  assert.ok(filesBelow('/var/cache/podwright') > 0);
});
