// The store against a plain Map: whatever is written, raced, listed, watched and reopened, both say the same.
import assert from 'node:assert/strict';
import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { BOUNDS } from '../../src/base/bounds.ts';
import { revision } from '../../src/base/brand.ts';
import { isPodwrightError, PodwrightError } from '../../src/base/errors.ts';
import type { Change } from '../../src/store/history.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { assertProperty } from '../lib/property.ts';

type Value = { readonly n: number };

async function directory(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'store-test-'));
  return { path, remove: () => rm(path, { recursive: true }) };
}

async function opened(t: TestContext, historyRevisions?: number): Promise<Store<Value>> {
  const { path, remove } = await directory();
  const store = await openStore<Value>({
    path,
    ...(historyRevisions === undefined ? {} : { historyRevisions }),
  });
  t.after(async () => {
    await store.close();
    await remove();
  });
  return store;
}

const put = (store: Store<Value>, key: string, n: number) =>
  store.write(key, () => ({ verb: 'put', value: { n } }));

const keys = fc.constantFrom('/a/1', '/a/2', '/a/3', '/b/1', '/ab');
const command = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('put' as const), key: keys, n: fc.nat(99) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('remove' as const), key: keys }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('throw' as const), key: keys }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen' as const) }) },
);

test('the store is a map with a counter, also after it was closed and opened', async () => {
  await assertProperty(
    fc.asyncProperty(fc.array(command, { maxLength: 25 }), async (commands) => {
      const { path, remove } = await directory();
      let store = await openStore<Value>({ path });
      const model = new Map<string, Value>();
      const start = store.revision;
      let changes = 0;
      try {
        for (const step of commands) {
          if (step.do === 'reopen') {
            await store.close();
            store = await openStore<Value>({ path });
          } else if (step.do === 'put') {
            assert.deepEqual(await put(store, step.key, step.n), { n: step.n });
            model.set(step.key, { n: step.n });
            changes += 1;
          } else if (step.do === 'throw') {
            const failed = store.write(step.key, () => {
              throw new PodwrightError('Conflict', 'no');
            });
            await assert.rejects(failed, /no/);
          } else {
            await store.write(step.key, (current) =>
              current === undefined ? { verb: 'keep' } : { verb: 'remove', value: current },
            );
            if (model.delete(step.key)) changes += 1;
          }
          assert.equal(store.revision, start + changes);
          for (const prefix of ['/', '/a/', '/a', '/b/', '/none']) {
            const expected = [...model]
              .filter(([key]) => key.startsWith(prefix))
              .sort(([a], [b]) => (a < b ? -1 : 1));
            assert.deepEqual(
              store.list({ prefix }).values,
              expected.map(([, value]) => value),
            );
          }
        }
      } finally {
        await store.close();
        await remove();
      }
    }),
    { file: 'test/store/store.test.ts', numRuns: 40 },
  );
});

test('writes that race are decided one after another', async (t) => {
  const store = await opened(t);
  await put(store, '/n', 0);
  const add = () => store.write('/n', (current) => ({ verb: 'put', value: { n: (current?.n ?? 0) + 1 } }));
  await Promise.all(Array.from({ length: 600 }, add));
  assert.deepEqual(store.get('/n'), { n: 600 });
});

test('pages of one list show one revision, whatever happens meanwhile', async (t) => {
  const store = await opened(t);
  for (let n = 0; n < 5; n += 1) await put(store, `/p/${n}`, n);
  const first = store.list({ prefix: '/p/', limit: 2 });
  assert.deepEqual([first.values.map(({ n }) => n), first.remaining], [[0, 1], 3]);
  await put(store, '/p/2', 99);
  await store.write('/p/3', (current) => ({ verb: 'remove', value: current as Value }));
  await put(store, '/p/9', 9);
  const second = store.list({ prefix: '/p/', after: first.next, at: first.revision });
  assert.deepEqual(
    second.values.map(({ n }) => n),
    [2, 3, 4],
  );
});

async function take<T>(changes: AsyncIterable<Change<T>>, count: number): Promise<Change<T>[]> {
  const taken: Change<T>[] = [];
  for await (const change of changes) if (taken.push(change) === count) break;
  return taken;
}

test('a watch replays what was missed, then follows, without a gap or a duplicate', async (t) => {
  const store = await opened(t);
  const from = store.revision;
  await put(store, '/w/1', 1);
  await put(store, '/other', 1);
  const changes = take(store.watch('/w/', from, AbortSignal.timeout(60_000)), 3);
  await put(store, '/w/1', 2);
  await store.write('/w/1', (current) => ({ verb: 'remove', value: current as Value }));
  const seen = (await changes).map(({ type, value, previous }) => [type, value.n, previous?.n]);
  assert.deepEqual(seen, [
    ['put', 1, undefined],
    ['put', 2, 1],
    ['remove', 2, 2],
  ]);
});

test('a revision that history has forgotten is Expired; so is one of the future', async (t) => {
  const store = await opened(t, 10);
  const from = store.revision;
  await Promise.all(Array.from({ length: 1100 }, (_, n) => put(store, '/x', n)));
  const { signal } = new AbortController();
  assert.throws(
    () => store.watch('/', from, signal),
    (error) => isPodwrightError(error, 'Expired'),
  );
  assert.throws(
    () => store.watch('/', revision(store.revision + 1), signal),
    (error) => isPodwrightError(error, 'Expired'),
  );
  assert.throws(
    () => store.list({ prefix: '/', at: from }),
    (error) => isPodwrightError(error, 'Expired'),
  );
});

test('a watcher that does not read is cut off and holds nobody up', async (t) => {
  const store = await opened(t);
  const slow = store.watch('/', store.revision, new AbortController().signal);
  await Promise.all(Array.from({ length: BOUNDS.watchBacklog + 1 }, (_, n) => put(store, '/x', n)));
  await assert.rejects(take(slow, 1), (error) => isPodwrightError(error, 'Expired'));
});

test('kill -9 in the middle of writes loses nothing that was answered', { timeout: 300_000 }, async () => {
  const { path, remove } = await directory();
  const child = fork(join(import.meta.dirname, 'writer.ts'), [path]);
  let answered = 0;
  child.on('message', (count) => {
    answered = Number(count);
    if (answered > 200) child.kill('SIGKILL');
  });
  await once(child, 'exit');
  const store = await openStore<Value>({ path });
  const { values } = store.list({ prefix: '/k/' });
  assert.ok(answered > 200 && values.length >= answered, `${values.length} of ${answered}`);
  await put(store, '/k/after', 1);
  await store.close();
  await remove();
});

test('on a full disk what is new is refused, then what changes; reading and what was acknowledged stay', async () => {
  const path = await mkdtemp(join(tmpdir(), 'podwright-full-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'podwright-test', path]);
  const fillBut = (bytes: number) => {
    rmSync(join(path, 'filler'), { force: true });
    const { bavail, bsize } = statfsSync(path);
    writeFileSync(join(path, 'filler'), Buffer.alloc(bavail * bsize - bytes));
  };
  const store = await openStore<{ n: number }>({ path: join(path, 'store') });
  const put = (key: string, n: number) => store.write(key, () => ({ verb: 'put', value: { n } }));
  try {
    await put('a', 1);
    fillBut(BOUNDS.storeRoomBytes.create - 65536);
    const [created, changed] = await Promise.allSettled([put('b', 1), put('a', 2)]);
    assert.match(created.status === 'rejected' ? String(created.reason) : '', /disk is full/);
    assert.equal(changed.status, 'fulfilled', 'a change beside it in the same commit is taken');
    fillBut(BOUNDS.storeRoomBytes.change - 65536);
    await assert.rejects(put('a', 3), /disk is full/);
    await assert.rejects(
      store.write('a', () => {
        throw new Error('no');
      }),
      /no/,
    );
    assert.deepEqual(store.get('a'), { n: 2 });
    rmSync(join(path, 'filler'));
    await put('b', 1);
  } finally {
    await store.close();
    execFileSync('umount', [path]);
    rmSync(path, { recursive: true });
  }
});
