// Small files put in place: the old text or the new one, whatever their lengths, and nothing but the file.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { putFile } from '../../src/base/files.ts';

function inDirectory(work: (dir: string) => Promise<void> | void): () => Promise<void> {
  return async () => {
    const dir = mkdtempSync(join(tmpdir(), 'podwright-files-'));
    try {
      await work(dir);
    } finally {
      rmSync(dir, { recursive: true });
    }
  };
}

const LENGTHS = [0, 1, 30, 4095, 4096, 4097, 10_000];

test(
  'every length over every other',
  inDirectory((dir) => {
    for (const [index, before] of LENGTHS.entries()) {
      for (const after of LENGTHS) {
        const path = join(dir, `${before}-${after}`);
        putFile(path, 'a'.repeat(before));
        putFile(path, String(index).repeat(after));
        assert.equal(readFileSync(path, 'utf8').trimEnd(), String(index).repeat(after));
        assert.equal(statSync(path).mode & 0o777, 0o600);
      }
    }
    assert.equal(readdirSync(dir).length, LENGTHS.length ** 2);
  }),
);

test('a directory that is not there is an error, and stays so', async () => {
  assert.throws(() => putFile('/nonexistent/file', 'text'), { code: 'ENOENT' });
});

const WRITER = `
  import { putFile } from ${JSON.stringify(join(import.meta.dirname, '../../src/base/files.ts'))};
  const put = (i) => putFile(process.argv[1], JSON.stringify({ text: String(i % 10).repeat(i % 4000) }));
  put(0);
  process.stdout.write('ready');
  for (let i = 1; ; i++) put(i);
`;

test(
  'a writer that is killed leaves one whole text',
  inDirectory(async (dir) => {
    const path = join(dir, 'record.json');
    for (let round = 0; round < 10; round++) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', WRITER, path], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const ended = once(child, 'exit');
      await once(child.stdout, 'data');
      // The moment of the kill is what is tried out.
      await new Promise((resolve) => setTimeout(resolve, 3 * round));
      child.kill('SIGKILL');
      await ended;
      const { text } = JSON.parse(readFileSync(path, 'utf8') || '{"text":""}') as { text: string };
      assert.match(text, /^(.?)\1*$/);
    }
  }),
);
