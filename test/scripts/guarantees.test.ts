// docs/guarantees.md against the tests: every promise names tests, and every test it names is there.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const ROOT = join(import.meta.dirname, '../..');

/** "- `file`: title" lines by the heading above them. */
function promises(): ReadonlyMap<string, readonly { readonly file: string; readonly title: string }[]> {
  const sections = readFileSync(join(ROOT, 'docs/guarantees.md'), 'utf8').split(/^## /m).slice(1);
  return new Map(
    sections.map((section) => {
      const named = [...section.matchAll(/^- `([^`]+)`: (.+)$/gm)];
      const tests = named.map(([, file = '', title = '']) => ({ file, title }));
      return [section.split('\n')[0] ?? '', tests];
    }),
  );
}

test('every promise has a test, and every test that is named exists', () => {
  const found = promises();
  assert.deepEqual(
    [...found.keys()].map((name) => name.split('.')[0]),
    ['1', '2', '3', '4', '5', '6'],
  );
  for (const [promise, tests] of found) {
    assert.ok(tests.length > 0, `promise ${promise} names no test`);
    for (const { file, title } of tests) {
      const source = readFileSync(join(ROOT, file), 'utf8');
      const isThere = ["'", '`', '"'].some((quote) => source.includes(`(${quote}${title}${quote}`));
      assert.ok(isThere, `${file} has no test named: ${title}`);
    }
  }
});
