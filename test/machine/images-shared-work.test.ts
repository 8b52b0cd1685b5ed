import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSharedWork, type Job, type SharedWork } from '../../src/machine/images/shared-work.ts';

const never = new AbortController().signal;

function run<T>(shared: SharedWork<T>, key: string, signal: AbortSignal, work: Job<T>['work']): Promise<T> {
  return shared.run({ key, lane: 'one', work }, signal);
}

test('callers of one key share one run; the next caller begins a new one', async () => {
  const work = createSharedWork<number>(4);
  let runs = 0;
  const count = async (): Promise<number> => {
    runs += 1;
    return runs;
  };
  assert.deepEqual(await Promise.all([run(work, 'a', never, count), run(work, 'a', never, count)]), [1, 1]);
  assert.equal(await run(work, 'a', never, count), 2);
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
  const one = run(work, 'a', first.signal, untilCancelled);
  const two = run(work, 'a', second.signal, untilCancelled);
  first.abort(new Error('first'));
  await assert.rejects(one, /first/);
  assert.equal(cancelled, false);
  second.abort(new Error('second'));
  await assert.rejects(two, /second/);
  assert.deepEqual([cancelled, tidy], [true, true], 'the last caller waits for the clean-up');
  assert.equal(await run(work, 'a', never, async () => 'fresh'), 'fresh');
});

test('no more than so many runs at a time, in the order they came', async () => {
  const work = createSharedWork<void>(2);
  const ends: (() => void)[] = [];
  const begun: string[] = [];
  const runs = ['a', 'b', 'c', 'd'].map((key) =>
    run(work, key, never, () => {
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
  const running = run(work, 'a', never, () => first.promise);
  const abort = new AbortController();
  let ran = false;
  const waiting = run(work, 'b', abort.signal, async () => {
    ran = true;
  });
  abort.abort(new Error('changed my mind'));
  await assert.rejects(waiting, /changed my mind/);
  first.reject(new Error('broken'));
  await assert.rejects(running, /broken/);
  assert.equal(ran, false);
  await run(work, 'c', never, async () => {});
});

test('what hangs in one lane holds up no other', async () => {
  const work = createSharedWork<string>(1);
  const unwanted = new AbortController();
  const hangs = work.run(
    {
      key: 'a',
      lane: 'slow',
      work: (signal) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    },
    unwanted.signal,
  );
  assert.equal(await work.run({ key: 'b', lane: 'quick', work: async () => 'done' }, never), 'done');
  unwanted.abort(new Error('enough'));
  await assert.rejects(hangs, /enough/);
  assert.equal(await work.run({ key: 'c', lane: 'slow', work: async () => 'done' }, never), 'done');
});
