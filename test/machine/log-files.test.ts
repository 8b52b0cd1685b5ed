// Log files put aside, without a container: what a monitor does is played by hand.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { readCriLog } from '../../src/machine/cri-log.ts';
import { removeLog, rotatedLogs, rotateLog } from '../../src/machine/log-files.ts';

let dir: string;
let path: string;
let nowMs: number;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'podwright-log-'));
  path = join(dir, '0.log');
  nowMs = Date.UTC(2026, 10, 25, 10, 15, 30);
});
afterEach(() => rmSync(dir, { recursive: true }));

const cri = (text: string): string => `2026-01-01T00:00:00Z stdout F ${text}\n`;
/** As conmon does it. */
const reopen = (): boolean => {
  writeFileSync(`${path}.tmp`, '');
  renameSync(`${path}.tmp`, path);
  return true;
};
const rotate = async (more: Partial<Parameters<typeof rotateLog>[0]> = {}): Promise<void> => {
  nowMs += 1000;
  await rotateLog({ path, filesMax: 5, nowMs, reopen, ...more });
};

test('the youngest put aside stays readable as it is, older ones are compressed, the oldest go', async () => {
  for (const word of ['one', 'two', 'three', 'four', 'five']) {
    writeFileSync(path, word);
    await rotate({ filesMax: 4 });
  }
  assert.deepEqual(readdirSync(dir), [
    '0.log',
    '0.log.20261125-101533.gz',
    '0.log.20261125-101534.gz',
    '0.log.20261125-101535',
  ]);
  assert.equal(gunzipSync(readFileSync(join(dir, '0.log.20261125-101533.gz'))).toString(), 'three');
  assert.equal(readFileSync(join(dir, '0.log.20261125-101535'), 'utf8'), 'five');
  await removeLog(path);
  assert.deepEqual(readdirSync(dir), []);
});

test('without a monitor nothing is put aside; one that is slow is asked again and nothing is kept twice', async () => {
  writeFileSync(path, 'words');
  await rotate({ reopen: () => false });
  assert.deepEqual(readdirSync(dir), ['0.log']);
  await rotate({ reopen: () => true });
  await rotate({ reopen: () => true });
  assert.equal((await rotatedLogs(path)).length, 1);
  await rotate();
  assert.equal(readFileSync(path, 'utf8'), '');
  assert.equal((await rotatedLogs(path)).length, 1);
});

test('what a compression left half done is not read and goes', async () => {
  writeFileSync(path, 'new');
  writeFileSync(join(dir, '0.log.20261125-101500'), 'old');
  writeFileSync(join(dir, '0.log.20261125-101500.tmp'), 'half');
  await rotate();
  await rotate();
  assert.deepEqual(
    (await rotatedLogs(path)).map(({ stamp }) => stamp),
    ['20261125-101500', '20261125-101531', '20261125-101532'],
  );
  assert.ok(!readdirSync(dir).includes('0.log.20261125-101500.tmp'));
});

test('a reader that is several rotations behind reads them all, compressed or not, each line once', async () => {
  writeFileSync(path, cri('put aside before'));
  await rotate();
  writeFileSync(path, cri('first'));
  let ended = false;
  let tell = (): void => {};
  const log = {
    path,
    ended: () => ended,
    onChange: (callback: () => void) => {
      tell = callback;
      return () => {};
    },
  };
  let text = '';
  for await (const chunk of readCriLog(
    log,
    { follow: true, timestamps: false },
    new AbortController().signal,
  )) {
    text += String(chunk);
    if (text !== 'first\n') continue;
    for (const word of ['second', 'third', 'fourth']) {
      await rotate();
      writeFileSync(path, cri(word));
    }
    // Put aside, and its monitor has not begun a new one.
    await rotate({ reopen: () => true });
    ended = true;
    tell();
  }
  assert.equal(text, 'first\nsecond\nthird\nfourth\n');
});
