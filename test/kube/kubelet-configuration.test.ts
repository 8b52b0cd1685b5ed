// The settings of the node: their flags, their values, and the page that lists them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isPodwrightError } from '../../src/base/errors.ts';
import { flagOf, kubeletConfiguration, SETTING_NAMES } from '../../src/kube/kubelet-configuration.ts';

test('docs/node.md lists each flag with its default, and no other', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/node.md'), 'utf8');
  const rows = [...page.matchAll(/^\| `--([a-z-]+)` \| (.*?) \| (.*?) \|$/gm)].map(
    ([, flag, text, what]) => `${flag}|${text}|${what}`,
  );
  const wanted = SETTING_NAMES.map((name) => {
    const { flag, text, what } = flagOf(name);
    return `${flag}|${text === '' ? 'none' : text}|${what}`;
  });
  assert.deepEqual(rows, wanted);
});

test('defaults are the kubelet’s; what does not parse is refused by the name of its flag', () => {
  assert.equal(kubeletConfiguration({}).containerLogMaxSize, 10 * 1024 * 1024);
  assert.equal(kubeletConfiguration({ containerLogMaxFiles: '2' }).containerLogMaxFiles, 2);
  for (const [name, text, message] of [
    ['containerLogMaxFiles', '1', '--container-log-max-files 1: want a whole number from 2 up'],
    ['containerLogMaxSize', 'big', '--container-log-max-size big: want a quantity like 10Mi'],
  ] as const) {
    const isRefused = (error: unknown): boolean =>
      isPodwrightError(error, 'InvalidInput') && error.message === message;
    assert.throws(() => kubeletConfiguration({ [name]: text }), isRefused);
  }
});
