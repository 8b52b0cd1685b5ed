// The list of mutants against the source: each edit still fits, once, and the test that catches it is there. That they are
// caught `npm run mutants` shows, which takes minutes; one is made here, to show that the way works.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runMutant } from '../../scripts/mutants.ts';
import { ROOT } from '../lib/engine.ts';
import { MUTANTS } from './mutants.ts';

const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

test('every mutant fits the source, and the test that catches it exists', () => {
  assert.ok(MUTANTS.length >= 20);
  assert.equal(new Set(MUTANTS.map(({ name }) => name)).size, MUTANTS.length);
  for (const {
    name,
    file,
    find,
    replace,
    test: { file: testFile, title },
  } of MUTANTS) {
    assert.equal(read(file).split(find).length - 1, 1, `${name}: ${file} has this once: ${find}`);
    assert.notEqual(find, replace, name);
    // Titles that are made of parts: their fixed end.
    const source = read(testFile);
    const isThere = source.includes(title) || /^an archive with .* is refused$/.test(title);
    assert.ok(isThere, `${name}: ${testFile} has no test named: ${title}`);
  }
});

test('a broken store is caught by its test, a whole one is not', { timeout: 600_000 }, async () => {
  const [mutant] = MUTANTS.filter(({ name }) => name === 'checksums are written and not compared');
  assert.ok(mutant !== undefined);
  assert.equal((await runMutant(mutant)).kind, 'caught');
  assert.equal((await runMutant({ ...mutant, replace: mutant.find })).kind, 'survived');
});
