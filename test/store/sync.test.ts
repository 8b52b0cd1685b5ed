// Power loss, as far as a program can help: a write is answered after the kernel was told to bring it to the disk, and said that
// it is there. Seen from the kernel's side, with strace.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const WRITES = 20;

test('each write is answered after its fdatasync', () => {
  const dir = mkdtempSync(join(tmpdir(), 'store-sync-'));
  const log = join(dir, 'log');
  try {
    // A disk that takes a while: who does not wait for it is seen to be earlier.
    const slowDisk = ['-e', 'inject=fdatasync,fsync,msync:delay_exit=20000'];
    const writer = [
      process.execPath,
      join(import.meta.dirname, 'sync-writer.ts'),
      join(dir, 'store'),
      String(WRITES),
    ];
    execFileSync(
      'strace',
      [...slowDisk, '-f', '-o', log, '-e', 'trace=fdatasync,fsync,msync,write', ...writer],
      {
        stdio: 'pipe',
      },
    );
    const calls = readFileSync(log, 'utf8').split('\n');
    let synced = 0;
    let answered = 0;
    for (const call of calls) {
      // A call that another thread's cut in two ends in a line of its own.
      if (/(fdatasync|fsync|msync)(\(.*\)| resumed>.*) += 0( \(DELAYED\))?$/.test(call)) synced += 1;
      if (call.includes('"asked')) synced = 0;
      if (!call.includes('"answered')) continue;
      answered += 1;
      assert.ok(synced > 0, `write ${answered} was answered before it was on the disk`);
    }
    assert.equal(answered, WRITES);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
