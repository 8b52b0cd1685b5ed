// Registries that do harm: what is pulled is what its digests say, or nothing; each pull ends, at the latest when nobody wants it
// any more; and one that drips holds up no other registry. Needs root and skopeo.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { BOUNDS } from '../../src/base/bounds.ts';
import { silentLog } from '../../src/base/log.ts';
import { createImageStore } from '../../src/machine/images/image-store.ts';
import { type MachineDirs, storageDir } from '../../src/machine/layout.ts';
import { type Harm, type LyingRegistry, startLyingRegistry } from '../lib/lying-registry.ts';

const REFUSED: readonly (readonly [harm: Harm, words: RegExp])[] = [
  ['lying-blob', /digest|checksum|corrupt|invalid/i],
  ['lying-manifest', /digest|manifest|invalid|parsing|unmarshal|404/i],
  ['cut-off', /EOF|reset|closed|digest/i],
  ['circles', /redirect/i],
  ['error', /500/],
];

describe('registries that do harm', () => {
  const base = mkdtempSync(join(tmpdir(), 'podwright-lying-'));
  const dirs: MachineDirs = {
    dataDir: join(base, 'data'),
    runDir: join(base, 'run'),
    logDir: join(base, 'log'),
  };
  const store = createImageStore({ dirs, log: silentLog });
  let registry: LyingRegistry;
  let other: LyingRegistry;
  before(async () => {
    registry = await startLyingRegistry();
    other = await startLyingRegistry();
  });
  after(async () => {
    await registry.close();
    await other.close();
    rmSync(base, { recursive: true });
  });

  const pull = (harm: Harm, signal: AbortSignal, tag = '1'): Promise<unknown> =>
    store.pull(`${registry.address}/x/${harm}:${tag}`, { signal });
  const never = new AbortController().signal;
  const scratch = (): string[] => {
    const dir = join(storageDir(dirs), 'podwright-tmp');
    return existsSync(dir) ? readdirSync(dir) : [];
  };

  for (const [harm, words] of REFUSED) {
    test(`${harm}: refused in the registry's or skopeo's words, and nothing is kept`, async () => {
      await assert.rejects(pull(harm, never), { code: 'ImagePullFailed', message: words });
      assert.deepEqual([await store.list(), scratch()], [[], []]);
    });
  }

  test('a byte a second: ends as soon as nobody wants it, and holds up no other registry meanwhile', async () => {
    const unwanted = new AbortController();
    const drips = Array.from({ length: BOUNDS.parallelPulls }, (_, n) =>
      pull('drip', unwanted.signal, `${n}`),
    );
    const ended = Promise.allSettled(drips);
    await store.pull(`${other.address}/x/good:1`, { signal: never });
    unwanted.abort(new Error('nobody wants it'));
    for (const one of await ended)
      assert.match(String((one as PromiseRejectedResult).reason), /nobody wants it/);
    assert.deepEqual(scratch(), []);
    await pull('good', never);
    assert.equal((await store.list()).length, 1);
  });
});
