// Whatever arrives at the write routes: never a 5xx, and the store changes only when the answer is 2xx.
import assert from 'node:assert/strict';
import { request } from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Kind } from '../../src/apiserver/kind.ts';
import { KINDS } from '../../src/apiserver/kinds.ts';
import { BOUNDS } from '../../src/base/bounds.ts';
import { readKubeconfig } from '../../src/client/kubeconfig.ts';
import { apiRig } from '../lib/api-rig.ts';
import { assertProperty } from '../lib/property.ts';

const POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', labels: { a: 'b' } },
  spec: {
    volumes: [
      { name: 'v', emptyDir: {} },
      { name: 'h', hostPath: { path: '/x' } },
    ],
    initContainers: [{ name: 'i', image: 'x', restartPolicy: 'Always' }],
    containers: [
      {
        name: 'a',
        image: 'nginx:1',
        ports: [{ containerPort: 80, hostPort: 80 }],
        env: [{ name: 'E', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
        resources: { requests: { cpu: '1' }, limits: { cpu: 2, memory: '1Gi' } },
        volumeMounts: [{ name: 'v', mountPath: '/v', subPath: 'x' }],
        livenessProbe: { httpGet: { port: 80 } },
        securityContext: { runAsUser: 1 },
      },
    ],
    tolerations: [{ key: 'k', operator: 'Exists' }],
    dnsConfig: { nameservers: ['1.1.1.1'] },
  },
};

function collectionOf({ group, version, plural, namespaced }: Kind): string {
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  return `${root}${namespaced ? '/namespaces/default' : ''}/${plural}`;
}

type Path = readonly (string | number)[];

function pathsOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, [...path, key]))];
}

/** The pod with one place replaced by anything. */
function mutated(path: Path, value: unknown): unknown {
  const copy = structuredClone(POD) as unknown;
  if (path.length === 0) return value;
  let holder = copy as { [key: string | number]: unknown };
  for (const key of path.slice(0, -1)) holder = holder[key] as typeof holder;
  holder[path.at(-1) ?? ''] = value;
  return copy;
}

const odd = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom(
    null,
    '',
    0,
    -1,
    1.5,
    2 ** 40,
    [],
    {},
    [null],
    { $patch: 'delete' },
    '../x',
    'a'.repeat(300),
    { __proto__: 1 },
  ),
);
const body = fc.oneof(
  fc.json(),
  fc.string(),
  fc
    .tuple(fc.constantFrom(...pathsOf(POD)), odd)
    .map(([path, value]) => JSON.stringify(mutated(path, value))),
);
const types = [
  'application/json',
  'application/yaml',
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/vnd.kubernetes.protobuf',
];

test('arbitrary bodies at the write routes', { timeout: 300_000 }, async (t) => {
  const { url, dataDir, store, server } = await apiRig(t);
  const { ca, cert, key } = readKubeconfig(join(dataDir, 'kubeconfig'));
  const send = (method: string, path: string, type: string, text: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const call = request(
        url + path,
        { method, ca, cert, key, headers: { 'content-type': type } },
        (response) => {
          response.resume();
          response.on('end', () => resolve(response.statusCode ?? 0));
        },
      );
      call.on('error', reject);
      call.end(text);
    });
  const pods = '/api/v1/namespaces/default/pods';
  assert.equal(
    await send('POST', pods, 'application/json', JSON.stringify({ ...POD, metadata: { name: 'there' } })),
    201,
  );
  // The smallest bodies of all, at every kind.
  for (const kind of KINDS) {
    for (const small of [
      '{}',
      'null',
      '[]',
      '{"metadata":{"name":"x"}}',
      '{"metadata":{"name":"x"},"spec":{}}',
    ]) {
      const before = store.revision;
      const code = await send('POST', collectionOf(kind), 'application/json', small);
      assert.ok(code < 500, `POST ${collectionOf(kind)} ${small}: ${code}`);
      if (code >= 300) assert.equal(store.revision, before, `POST ${collectionOf(kind)} ${small}`);
    }
  }
  const call = fc.record({
    body,
    type: fc.constantFrom(...types),
    route: fc.constantFrom(
      ['POST', pods],
      ['PUT', `${pods}/there`],
      ['PATCH', `${pods}/there`],
      ['PATCH', `${pods}/there/status`],
      ['POST', `${pods}/there/binding`],
      ['POST', '/api/v1/namespaces'],
      ['POST', '/api/v1/namespaces/default/events'],
      ['PATCH', '/api/v1/namespaces/default'],
      ['DELETE', `${pods}/other`],
      ...KINDS.map((kind) => ['POST', collectionOf(kind)]),
    ),
  });
  await assertProperty(
    fc.asyncProperty(call, async ({ body: text, type, route: [method = '', path = ''] }) => {
      const before = store.revision;
      const code = await send(method, path, type, text);
      assert.ok(code >= 200 && code < 500, `${method} ${path} ${type}: ${code}`);
      if (code >= 300) assert.equal(store.revision, before);
    }),
    { file: 'test/apiserver/robustness.test.ts', numRuns: 600 },
  );
  assert.equal(await send('POST', pods, 'application/json', `"${'x'.repeat(BOUNDS.requestBodyBytes)}"`), 413);
  await server.resources.list({ group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true });
});
