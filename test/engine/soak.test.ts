// The short soak of every test run: see test/lib/soak/soak.ts. `npm run soak -- --minutes M --seed S` runs it for longer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { soak } from '../lib/soak/soak.ts';

test('a minute of random pods and random harm: every promise holds, and nothing is left', async (t) => {
  const seed = Number(process.env.PODWRIGHT_SEED ?? Date.now() % 1_000_000);
  t.diagnostic(`again: PODWRIGHT_SEED=${seed} node --test test/engine/soak.test.ts`);
  const { counts, broken } = await soak({ seed, durationMs: 45_000, say: (line) => t.diagnostic(line) });
  assert.deepEqual(broken, []);
  // It did what it is for: the engine died under running pods, and the kernel was read all along.
  for (const name of ['kill engine', 'create', 'looks at the kernel', 'acknowledged writes'])
    assert.ok((counts[name] ?? 0) > 0, `${name}: ${JSON.stringify(counts)}`);
});
