import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inApplyOrder, parseManifest } from '../../src/kube/manifest.ts';

const pod = (name: string): string => `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}}\n`;

describe('parseManifest', () => {
  it('reads several documents, skips empty ones and knows their lines', () => {
    const entries = parseManifest(`# comment\n---\n${pod('a')}---\n---\n${pod('b')}`, 'pods.yaml');
    assert.deepEqual(
      entries.map(({ source, object }) => [source, object.metadata.name]),
      [
        ['pods.yaml:3', 'a'],
        ['pods.yaml:8', 'b'],
      ],
    );
  });

  it('reads JSON and flattens List kinds', () => {
    const item = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' } };
    const list = {
      apiVersion: 'v1',
      kind: 'List',
      items: [item, { apiVersion: 'v1', kind: 'PodList', items: [item] }],
    };
    const entries = parseManifest(JSON.stringify(list, null, 2), 'list.json');
    assert.deepEqual(
      entries.map(({ object }) => object),
      [item, item],
    );
    assert.equal(entries[1]?.source, 'list.json:1 items[1] items[0]');
  });

  it('reads scalars as kubectl does: octal modes, the booleans of YAML 1.1, merge keys; dates stay text', () => {
    const text = `apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nx: &x {mode: 0644, zero: 0, decimal: 644}\ny: {<<: *x, on: yes, off: Off, date: 2026-01-02, text: "yes", time: 12:30}\n`;
    const [entry] = parseManifest(text, 'f');
    assert.deepEqual(entry?.object.y, {
      mode: 420,
      zero: 0,
      decimal: 644,
      true: true,
      false: false,
      date: '2026-01-02',
      text: 'yes',
      time: '12:30',
    });
  });

  it('says where and what is wrong', () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      ['a: [1', /^read manifest f: .*line 1/s],
      [`${pod('a')}---\nkind: Pod\nkind: Pod\n`, /f: .*unique.*line 6/s],
      ['- a', /f:1: not a Kubernetes object/],
      ['kind: Pod', /f:1: apiVersion is missing/],
      ['apiVersion: v1', /f:1: kind is missing/],
      [
        `${pod('a')}---\napiVersion: v1\nkind: Pod\nmetadata: {}\n`,
        /f:5: metadata.name of this Pod is missing/,
      ],
    ];
    for (const [text, message] of cases) assert.throws(() => parseManifest(text, 'f'), { message });
  });
});

it('inApplyOrder puts first what others stand on', () => {
  const kinds = ['Pod', 'ConfigMap', 'Namespace', 'Secret', 'Pod'];
  const entries = kinds.map((kind, i) => ({
    source: '',
    object: { apiVersion: 'v1', kind, metadata: { name: `${i}` } },
  }));
  assert.deepEqual(
    inApplyOrder(entries).map(({ object }) => object.metadata.name),
    ['2', '1', '3', '0', '4'],
  );
});
