// Whatever stands in a file or a query: manifests, selectors, image references, CRI log lines, traces. Each is read or
// refused with an error that says what is wrong; none ends in an error of the program.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseImageReference } from '../../src/kube/image-reference.ts';
import { parseManifest } from '../../src/kube/manifest.ts';
import { parseFieldSelector, parseLabelSelector } from '../../src/kube/selectors.ts';
import { parseCriLine, readCriLog } from '../../src/machine/cri-log.ts';
import { openbWorkload } from '../../src/simulator/inputs/openb.ts';
import { answersOrRefuses, fuzz, textOf } from './fuzz.ts';

const file = 'text.test.ts';

test('manifests', async () => {
  const words = [
    ...['apiVersion: v1\n', 'kind: Pod\n', 'kind: List\n', 'metadata:\n', '  name: a\n', 'items:\n', '- '],
    ...[
      '---\n',
      '...\n',
      '&a ',
      '*a',
      '<<: *a\n',
      '!!int ',
      '? ',
      ': ',
      '|\n',
      '>-\n',
      '[',
      ']',
      '{',
      '}',
      '\t',
    ],
    ...[
      '"',
      "'",
      '\\',
      '#',
      '%YAML 1.1\n',
      '!<tag:x> ',
      '0o17',
      '017',
      '.nan',
      '1e999',
      'yes',
      '\u2028',
      '\0',
    ],
  ];
  await fuzz({ file, corpus: 'manifests', input: textOf(words), runs: 400 }, (text) =>
    answersOrRefuses(() => parseManifest(text, 'x.yaml')),
  );
});

test('label and field selectors, image references', async () => {
  const words = [
    'app',
    '=',
    '==',
    '!=',
    '!',
    ',',
    ' in ',
    ' notin ',
    '(',
    ')',
    '>',
    '<',
    'a',
    '1',
    '\\',
    ' ',
    '\n',
  ];
  await fuzz({ file, corpus: 'selectors', input: textOf(words), runs: 1000 }, async (text) => {
    await answersOrRefuses(() => parseLabelSelector(text)({ app: 'a', __proto__: 'x' }));
    await answersOrRefuses(() => parseFieldSelector(text, ['app', 'metadata.name'])({ app: 'a' }));
  });
  const parts = [
    'docker.io',
    '/',
    ':',
    '@',
    'sha256:',
    'a'.repeat(64),
    'busybox',
    'localhost',
    '..',
    '[::1]',
    'A',
    '_',
  ];
  await fuzz({ file, corpus: 'image-references', input: textOf(parts), runs: 1000 }, (text) =>
    answersOrRefuses(() => parseImageReference(text)),
  );
});

test('CRI log lines: what is one is shown as it was written, what is none is passed over', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'podwright-fuzz-'));
  const path = join(dir, '0.log');
  const words = [
    '2026-11-25T10:00:00.000000001Z',
    ' ',
    'stdout',
    'stderr',
    'F',
    'P',
    'F:x',
    'text',
    '\n',
    '\r',
    '\0',
  ];
  try {
    await fuzz({ file, corpus: 'cri-lines', input: textOf(words) }, async (text) => {
      parseCriLine(text);
      writeFileSync(path, text);
      const log = { path, ended: () => true, onChange: () => () => {} };
      for (const options of [
        { follow: false, timestamps: false },
        { follow: true, timestamps: true, tailLines: 2, limitBytes: 20, sinceMs: 0 },
      ]) {
        let bytes = 0;
        for await (const chunk of readCriLog(log, options, new AbortController().signal))
          bytes += (chunk as Buffer).length;
        // An invalid byte is shown as three.
        assert.ok(bytes <= 3 * Buffer.byteLength(text));
        if ('limitBytes' in options) assert.ok(bytes <= 20);
      }
    });
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('traces of openb: a workload, or file and line of what is wrong', async () => {
  const nodeCells = ['n1', '32000', '262144', '2', 'V100', '', '-1', '1e9', 'NaN', ',', '\n', '\r\n'];
  const taskCells = [...nodeCells, 't1', '0', '1', '500', '1000', 'V100|T4', '12537496', '9'];
  const rows = (cells: readonly string[], columns: number): fc.Arbitrary<string> =>
    fc
      .array(
        fc.array(fc.oneof(fc.constantFrom(...cells), fc.string({ maxLength: 5 })), {
          minLength: columns - 1,
          maxLength: columns,
        }),
        {
          maxLength: 5,
        },
      )
      .map((lines) => lines.map((line) => line.join(',')).join('\n'));
  const input = fc.record({ nodes: rows(nodeCells, 5), tasks: rows(taskCells, 9) });
  await fuzz({ file, corpus: 'openb', input }, ({ nodes, tasks }) => {
    const nodeHeader = 'sn,cpu_milli,memory_mib,gpu,model';
    const taskHeader =
      'name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,creation_time,deletion_time,scheduled_time';
    return answersOrRefuses(() => {
      const { apps } = openbWorkload({
        nodes: { path: 'nodes.csv', content: `${nodeHeader}\n${nodes}` },
        tasks: { path: 'tasks.csv', content: `${taskHeader}\n${tasks}` },
        ...{ containers: 2, everyNode: 1, speedup: 1 },
      });
      for (const { arriveMs, durationMs } of apps)
        assert.ok(Number.isFinite(arriveMs) && durationMs >= 0, `${arriveMs} ${durationMs}`);
    });
  });
});
