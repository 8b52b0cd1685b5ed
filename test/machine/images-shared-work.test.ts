import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSharedWork } from '../../src/machine/images/shared-work.ts';

const never = new AbortController().signal;

test('callers of one key share one run; the next caller begins a new one', async () => {
  const work = createSharedWork<number>(4);
  let runs = 0;
  const count = async (): Promise<number> => {
    runs += 1;
    return runs;
  };
  assert.deepEqual(await Promise.all([work.run('a', never, count), work.run('a', never, count)]), [1, 1]);
  assert.equal(await work.run('a', never, count), 2);
});

test('the run is cancelled when its last caller has gone, not before', async () => {
  const work = createSharedWork<string>(4);
  const [first, second] = [new AbortController(), new AbortController()];
  let cancelled = false;
  let tidy = false;
  const untilCancelled = (signal: AbortSignal): Promise<string> =>
    new Promise((_, reject) =>
      signal.addEventListener('abort', () => {
        cancelled = true;
        setImmediate(() => {
          tidy = true;
          reject(signal.reason);
        });
      }),
    );
  const one = work.run('a', first.signal, untilCancelled);
  const two = work.run('a', second.signal, untilCancelled);
  first.abort(new Error('first'));
  await assert.rejects(one, /first/);
  assert.equal(cancelled, false);
  second.abort(new Error('second'));
  await assert.rejects(two, /second/);
  assert.deepEqual([cancelled, tidy], [true, true], 'the last caller waits for the clean-up');
  assert.equal(await work.run('a', never, async () => 'fresh'), 'fresh');
});

test('no more than so many runs at a time, in the order they came', async () => {
  const work = createSharedWork<void>(2);
  const ends: (() => void)[] = [];
  const begun: string[] = [];
  const runs = ['a', 'b', 'c', 'd'].map((key) =>
    work.run(key, never, () => {
      begun.push(key);
      return new Promise<void>((resolve) => ends.push(resolve));
    }),
  );
  await new Promise(setImmediate);
  assert.deepEqual(begun, ['a', 'b']);
  ends[1]?.();
  await runs[1];
  await new Promise(setImmediate);
  assert.deepEqual(begun, ['a', 'b', 'c']);
  ends[0]?.();
  await new Promise(setImmediate);
  for (const end of ends) end();
  await new Promise(setImmediate);
  for (const end of ends) end();
  await Promise.all(runs);
  assert.deepEqual(begun, ['a', 'b', 'c', 'd']);
});

test('a caller that gives up while it waits for its turn never runs, and a failure is told to all', async () => {
  const work = createSharedWork<void>(1);
  const first = Promise.withResolvers<void>();
  const running = work.run('a', never, () => first.promise);
  const abort = new AbortController();
  let ran = false;
  const waiting = work.run('b', abort.signal, async () => {
    ran = true;
  });
  abort.abort(new Error('changed my mind'));
  await assert.rejects(waiting, /changed my mind/);
  first.reject(new Error('broken'));
  await assert.rejects(running, /broken/);
  assert.equal(ran, false);
  await work.run('c', never, async () => {});
});
