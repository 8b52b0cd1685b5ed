// What of others comes with the project: pinned by content, under licences that fit, and without a say at its installation.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isLicenceFine, lockedPackages } from '../../scripts/licences.ts';

const read = (file: string): string => readFileSync(join(import.meta.dirname, '../..', file), 'utf8');

test('every package is pinned by the checksum of its content', () => {
  const all = lockedPackages();
  assert.ok(all.length > 50, `${all.length} packages`);
  for (const { name, integrity = '' } of all) assert.match(integrity, /^sha512-/, name);
});

test('every licence is one of the list', () => {
  assert.deepEqual(
    lockedPackages()
      .filter((one) => !isLicenceFine(one))
      .map(({ name, license }) => `${name}: ${license}`),
    [],
  );
});

test('every package with an install script is named, and none may run it', () => {
  const { allowScripts } = JSON.parse(read('package.json')) as { allowScripts: Record<string, boolean> };
  const withScript = lockedPackages().filter(({ hasInstallScript }) => hasInstallScript === true);
  assert.ok(withScript.length > 0);
  for (const { name } of withScript) {
    // What is only for another system (macOS' file watcher) is not installed here.
    if (name !== 'fsevents') assert.equal(allowScripts[name], false, name);
  }
  assert.match(read('.npmrc'), /^strict-allow-scripts=true$/m);
});

test('docs/supply.md names every package that we chose', () => {
  const { dependencies, optionalDependencies } = JSON.parse(read('package.json')) as Record<
    string,
    Record<string, string>
  >;
  const text = read('docs/supply.md');
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies }))
    assert.ok(text.includes(`\`${name}\``), name);
});
