// A store whose file the disk changed: some bits flipped, or cut off. It opens with everything that was written, or is refused;
// what it gives is never anything else.
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { open } from 'lmdb';
import { openStore } from '../../src/store/store.ts';
import { type Random, randomOf } from '../lib/soak/random.ts';

const VALUES = 300;
const FLIPS = 60;
/** lmdb's two meta pages: a bit of theirs can make the state before the last one the newest (docs/guarantees.md). */
const META_BYTES = 2 * 4096;

type Found =
  | { readonly values: unknown; readonly revision: number }
  | { readonly refused: boolean; readonly message: string };
/** `died`: lmdb itself met a page that cannot be, and ended the process with its own words. */
type Outcome = Found | { readonly died: true };

describe('a store whose file was damaged', () => {
  const dir = mkdtempSync(join(tmpdir(), 'store-damage-'));
  const whole = join(dir, 'whole');
  let written: Found;
  let reader: ChildProcess | undefined;
  before(async () => {
    const store = await openStore<{ readonly n: number; readonly text: string }>({ path: whole });
    for (let n = 0; n < VALUES; n += 1)
      await store.write(`/k/${n}`, () => ({ verb: 'put', value: { n, text: 'x'.repeat((n * 7) % 900) } }));
    written = { values: store.list({ prefix: '/' }).values, revision: store.revision };
    await store.close();
  });
  after(() => {
    reader?.kill();
    rmSync(dir, { recursive: true });
  });

  /** What a process finds in a copy to which that was done. */
  async function read(damage: (file: string) => void): Promise<Outcome> {
    const path = join(dir, 'copy');
    cpSync(whole, path, { recursive: true });
    damage(join(path, 'data.mdb'));
    reader ??= fork(join(import.meta.dirname, 'reader.ts'), { silent: true });
    const child = reader;
    const outcome = new AbortController();
    const { signal } = outcome;
    reader.send(path);
    try {
      return await Promise.race([
        once(child, 'message', { signal }).then(([found]) => found as Found),
        once(child, 'exit', { signal }).then((): Outcome => {
          reader = undefined;
          return { died: true };
        }),
      ]);
    } finally {
      outcome.abort();
      rmSync(path, { recursive: true });
    }
  }

  const isRefusal = (outcome: Outcome): boolean => 'refused' in outcome && outcome.refused;

  test('any flipped bit behind the meta pages: all is there, or it is refused', async (t) => {
    const seed = Number(process.env.PODWRIGHT_SEED ?? Date.now() % 1_000_000);
    t.diagnostic(`again: PODWRIGHT_SEED=${seed} node --test test/store/damage.test.ts`);
    const random: Random = randomOf(seed);
    let refusals = 0;
    for (let flip = 0; flip < FLIPS; flip += 1) {
      const bytes = readFileSync(join(whole, 'data.mdb'));
      const at = random.integer(META_BYTES, bytes.length - 1);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.integer(0, 7));
      const outcome = await read((file) => writeFileSync(file, bytes));
      if (isRefusal(outcome)) refusals += 1;
      else if (!('died' in outcome)) assert.deepEqual(outcome, written, `byte ${at}`);
    }
    assert.ok(refusals > FLIPS / 6, `${refusals} of ${FLIPS} were found`);
  });

  test('a flipped bit in a value: refused with its key and the remedy', async () => {
    const bytes = readFileSync(join(whole, 'data.mdb'));
    const at = bytes.lastIndexOf('"n":123,');
    bytes[at + 4] = (bytes[at + 4] ?? 0) ^ 1;
    const outcome = await read((file) => writeFileSync(file, bytes));
    assert.ok('message' in outcome && isRefusal(outcome));
    assert.match(outcome.message, /open the store at .*copy \(restore .* or remove it/);
    assert.match(outcome.message, /the value of \/k\/123 is not what was written/);
  });

  test('an object that is no longer there: refused', async () => {
    const outcome = await read((file) => {
      const root = open({ path: dirname(file) });
      root.openDB({ name: 'objects', encoding: 'binary' }).removeSync('/k/7');
      void root.close();
    });
    assert.ok('message' in outcome && isRefusal(outcome), JSON.stringify(outcome).slice(0, 200));
    assert.match(outcome.message, /the list of objects is not what was written/);
  });

  test('a file that was cut off is refused, wherever that was', async () => {
    const { length } = readFileSync(join(whole, 'data.mdb'));
    for (const part of [0.9, 0.5, 0.2]) {
      const outcome = await read((file) => truncateSync(file, Math.floor((length * part) / 4096) * 4096));
      assert.ok(isRefusal(outcome), `cut to ${part}: ${JSON.stringify(outcome).slice(0, 200)}`);
    }
  });
});
