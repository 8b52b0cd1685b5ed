// Somebody sets the machine's clock: no wait ends for it, none becomes longer, and what the file system dates stays as old as it is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { timeOfFile } from '../../src/machine/container-exit.ts';

const HOUR_MS = 3_600_000;

/** As after `date -s`. */
async function afterJump(byMs: number, work: () => Promise<void> | void): Promise<void> {
  const { now } = Date;
  Date.now = () => now() + byMs;
  try {
    await work();
  } finally {
    Date.now = now;
  }
}

for (const byMs of [HOUR_MS, -HOUR_MS]) {
  test(`the clock is set by ${byMs / HOUR_MS} hours`, async () => {
    const clock = systemClock();
    const beforeMs = clock.nowMs();
    assert.ok(Math.abs(beforeMs - Date.now()) < 60_000, 'it begins with the machine’s time');
    await afterJump(byMs, async () => {
      assert.ok(Math.abs(clock.nowMs() - beforeMs) < 60_000);
      assert.ok(
        Math.abs(systemClock().nowMs() - beforeMs) < 60_000,
        'every clock of one process is the same',
      );
      // Neither at once nor in an hour.
      let early = false;
      const cancel = clock.at(clock.nowMs() + HOUR_MS / 2, () => {
        early = true;
      });
      // A real clock's timers do not keep a process alive.
      const alive = setInterval(() => {}, 1000);
      await new Promise<void>((resolve) => clock.at(clock.nowMs() + 50, resolve));
      clearInterval(alive);
      cancel();
      assert.equal(early, false);
      // The kernel dates a file by the clock that was set.
      const ageMs = 5000;
      const written = timeOfFile(Date.now() - ageMs, clock.nowMs());
      assert.ok(Math.abs(clock.nowMs() - ageMs - written) < 1000, `${written}`);
    });
  });
}

test('a file from the future was written now', () => {
  const nowMs = systemClock().nowMs();
  assert.equal(timeOfFile(Date.now() + HOUR_MS, nowMs), nowMs);
});
