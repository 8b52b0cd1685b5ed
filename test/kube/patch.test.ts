// The three patch types: a table of cases, and what they leave alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyJsonPatch } from '../../src/kube/patch/json-patch.ts';
import { applyMergePatch } from '../../src/kube/patch/merge-patch.ts';
import { applyStrategicMergePatch } from '../../src/kube/patch/strategic-merge-patch.ts';

test('JSON patch', () => {
  const document = { a: [1, 2], 'b/c': { d: 1 } };
  const apply = (...steps: object[]) => applyJsonPatch(document, steps);
  assert.deepEqual(apply({ op: 'add', path: '/a/1', value: 9 }), { ...document, a: [1, 9, 2] });
  assert.deepEqual(apply({ op: 'add', path: '/a/-', value: 9 }), { ...document, a: [1, 2, 9] });
  assert.deepEqual(apply({ op: 'remove', path: '/b~1c/d' }), { ...document, 'b/c': {} });
  assert.deepEqual(apply({ op: 'replace', path: '/a/0', value: null }), { ...document, a: [null, 2] });
  assert.deepEqual(apply({ op: 'move', from: '/a', path: '/z' }), { 'b/c': { d: 1 }, z: [1, 2] });
  assert.deepEqual(apply({ op: 'copy', from: '/a/0', path: '/z' }), { ...document, z: 1 });
  assert.deepEqual(apply({ op: 'test', path: '/a', value: [1, 2] }), document);
  for (const step of [
    { op: 'test', path: '/a', value: 1 },
    { op: 'remove', path: '/x' },
    { op: 'add', path: '/a/7', value: 1 },
    { op: 'add', path: '/x/y', value: 1 },
  ]) {
    assert.throws(() => apply(step), { code: 'Invalid' }, JSON.stringify(step));
  }
  for (const step of [
    { op: 'nope', path: '/a' },
    { op: 'add', path: 'a' },
    { path: '/a' },
    { op: 'move', path: '/a' },
  ]) {
    assert.throws(() => apply(step), { code: 'BadRequest' }, JSON.stringify(step));
  }
});

test('merge patch: the examples of RFC 7386', () => {
  const cases: [unknown, unknown, unknown][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [document, patch, expected] of cases)
    assert.deepEqual(applyMergePatch(document, patch), expected);
});

const POD = {
  metadata: { labels: { a: '1', b: '2' }, finalizers: ['x', 'y'] },
  spec: {
    containers: [
      { name: 'a', image: '1', env: [{ name: 'E', value: '1' }] },
      { name: 'b', image: '1', args: ['1', '2'] },
    ],
    volumes: [{ name: 'v', emptyDir: {} }],
    tolerations: [{ key: 'k' }],
  },
};
const patched = (spec: object, metadata: object = {}) => {
  const result = applyStrategicMergePatch(POD, { spec, metadata }, 'Pod') as typeof POD;
  return { ...result.spec, ...result.metadata };
};
const names = (list: readonly { readonly name: string }[]) => list.map(({ name }) => name);

test('strategic merge patch: lists with a key merge, others are replaced', () => {
  const { containers } = patched({
    containers: [
      { name: 'b', image: '2' },
      { name: 'c', image: '3' },
    ],
  });
  assert.deepEqual(containers, [
    POD.spec.containers[0],
    { name: 'b', image: '2', args: ['1', '2'] },
    { name: 'c', image: '3' },
  ]);
  assert.deepEqual(patched({ tolerations: [{ key: 'z' }] }).tolerations, [{ key: 'z' }]);
  assert.deepEqual(
    patched({ containers: [{ name: 'a', env: [{ name: 'E', value: '2' }] }] }).containers[0]?.env,
    [{ name: 'E', value: '2' }],
  );
  assert.deepEqual(patched({}, { labels: { a: null, c: '3' } }).labels, { b: '2', c: '3' });
  assert.throws(() => patched({ containers: [{ image: 'x' }] }), { code: 'BadRequest' });
});

test('strategic merge patch: directives', () => {
  assert.deepEqual(names(patched({ containers: [{ name: 'a', $patch: 'delete' }] }).containers), ['b']);
  assert.deepEqual(names(patched({ containers: [{ name: 'z' }, { $patch: 'replace' }] }).containers), ['z']);
  assert.deepEqual(patched({}, { labels: { $patch: 'replace', z: '1' } }).labels, { z: '1' });
  const hostPath = { path: '/x' };
  assert.deepEqual(
    patched({ volumes: [{ name: 'v', hostPath, $retainKeys: ['name', 'hostPath'] }] }).volumes,
    [{ name: 'v', hostPath }],
  );
  assert.deepEqual(patched({}, { finalizers: ['z'] }).finalizers, ['x', 'y', 'z']);
  assert.deepEqual(patched({}, { '$deleteFromPrimitiveList/finalizers': ['x'] }).finalizers, ['y']);
  const order = [{ name: 'c' }, { name: 'b' }, { name: 'a' }];
  assert.deepEqual(
    names(patched({ '$setElementOrder/containers': order, containers: [{ name: 'c' }] }).containers),
    ['c', 'b', 'a'],
  );
  assert.throws(() => patched({ containers: [{ name: 'a', $patch: 'nope' }] }), { code: 'BadRequest' });
});
