// Whatever a client sends as a patch, a quantity or a protobuf body: applied or refused, and the object it was applied to is
// as it was. What comes in over HTTP is api.test.ts'.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeProtobuf } from '../../src/apiserver/http/protobuf.ts';
import { BOUNDS } from '../../src/base/bounds.ts';
import { decode } from '../../src/kube/decode.ts';
import { applyJsonPatch } from '../../src/kube/patch/json-patch.ts';
import { applyMergePatch } from '../../src/kube/patch/merge-patch.ts';
import { applyStrategicMergePatch } from '../../src/kube/patch/strategic-merge-patch.ts';
import { answersOrRefuses, fuzz, mutations } from './fuzz.ts';

const file = 'patches.test.ts';

const POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', labels: { a: 'b' }, finalizers: ['x/y'] },
  spec: {
    containers: [{ name: 'a', image: 'x', ports: [{ containerPort: 80 }], env: [{ name: 'E', value: 'v' }] }],
    volumes: [{ name: 'v', emptyDir: {} }],
    tolerations: [{ key: 'k' }],
  },
};
const FROZEN = JSON.stringify(POD);

/** Nothing that a patch says reaches the objects that all others are made of. */
function isUntouched(): void {
  assert.equal(JSON.stringify(POD), FROZEN);
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
}

test('JSON patches', async () => {
  const paths = [
    '',
    '/',
    '/metadata/labels/a',
    '/spec/containers/0',
    '/spec/containers/-',
    '/spec/containers/01',
    '/x~1y',
  ];
  const more = [
    '/__proto__/polluted',
    '/constructor/prototype/polluted',
    'spec',
    '/spec/containers/99',
    '/metadata/name/x',
  ];
  const path = fc.oneof(fc.constantFrom(...paths, ...more), fc.string());
  const step = fc.record(
    {
      op: fc.oneof(fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test'), fc.string()),
      path,
      from: path,
      value: fc.jsonValue(),
    },
    { requiredKeys: [] },
  );
  const input = fc.oneof(fc.array(step, { maxLength: 4 }), fc.jsonValue());
  await fuzz<unknown>({ file, corpus: 'json-patches', input, runs: 2000 }, async (patch) => {
    await answersOrRefuses(() => {
      // Written out, as an object that is stored is: a copy of copies is small only as long as it is shared.
      const bytes = JSON.stringify(applyJsonPatch(POD, patch))?.length ?? 0;
      assert.ok(bytes < 2 * BOUNDS.requestBodyBytes, `${bytes} bytes`);
    });
    isUntouched();
  });
});

test('merge patches', async () => {
  const directives = fc.constantFrom(
    { $patch: 'delete' },
    { $patch: 'replace' },
    { $patch: 1 },
    { $retainKeys: ['name'] },
    { '$setElementOrder/containers': [{ name: 'a' }, null] },
    { '$deleteFromPrimitiveList/finalizers': ['x/y'] },
    { '$setElementOrder/finalizers': 5 },
    { containers: [{ name: 'a', $patch: 'delete' }, { name: 'b' }] },
    { containers: [null] },
    { volumes: [{ name: 'v', $retainKeys: ['name', 'hostPath'], hostPath: { path: '/' } }] },
  );
  const spec = directives.map((part) => ({ spec: part, metadata: part }));
  const input = fc.oneof(mutations(POD), spec, directives, fc.jsonValue());
  await fuzz<unknown>({ file, corpus: 'merge-patches', input, runs: 2000 }, async (patch) => {
    applyMergePatch(POD, patch);
    await answersOrRefuses(() => applyStrategicMergePatch(POD, patch, 'Pod'));
    isUntouched();
  });
});

test('objects of any shape, and protobuf bodies', async () => {
  await fuzz<unknown>({ file, corpus: 'objects', input: mutations(POD), runs: 1000 }, (object) => {
    decode('Pod', object);
    isUntouched();
  });
  const head = Buffer.concat([
    Buffer.from('k8s\0'),
    Buffer.from([0x0a, 0x09, 0x0a, 0x02, 0x76, 0x31, 0x12, 0x03]),
    Buffer.from('Pod'),
  ]);
  const input = fc
    .tuple(fc.boolean(), fc.uint8Array({ maxLength: 80 }))
    .map(([isPod, bytes]) => Buffer.concat([isPod ? head : Buffer.from('k8s\0'), bytes]).toString('hex'));
  await fuzz({ file, corpus: 'protobuf', input, runs: 2000 }, (hex) =>
    answersOrRefuses(() => decodeProtobuf(Buffer.from(hex, 'hex'))),
  );
});
