// Whatever a client asks over HTTP: methods, paths, queries, headers and bodies in any combination. No answer is a failure
// of the server, each comes in time, and the server is there afterwards. Bodies alone: test/apiserver/robustness.test.ts.
import assert from 'node:assert/strict';
import { request } from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { readKubeconfig } from '../../src/client/kubeconfig.ts';
import { apiRig, POD_MANIFEST } from '../lib/api-rig.ts';
import { fuzz } from './fuzz.ts';

type Call = {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

const part = fc.oneof(
  fc.constantFrom(
    ...[
      'api',
      'apis',
      'v1',
      'apps',
      'namespaces',
      'default',
      'pods',
      'web',
      'status',
      'log',
      'exec',
      'binding',
    ],
    ...[
      'secrets',
      'nodes',
      'events',
      'scale',
      'openapi',
      'v2',
      'v3',
      'version',
      'watch',
      'proxy',
      'eviction',
      'healthz',
    ],
    ...[
      '',
      '.',
      '..',
      '%2e%2e',
      '%2F',
      'default%2Fpods',
      'web%00',
      '%',
      '%ff',
      '__proto__',
      'constructor',
      '*',
      '~',
    ],
  ),
  fc.string({ maxLength: 5 }).map(encodeURIComponent),
);
const paths = fc.oneof(
  { weight: 2, arbitrary: fc.array(part, { maxLength: 8 }) },
  fc
    .array(part, { maxLength: 3 })
    .map((rest) => ['api', 'v1', 'namespaces', 'default', 'pods', 'web', ...rest]),
  fc.array(part, { maxLength: 2 }).map((rest) => ['api', 'v1', ...rest]),
);
const queries = fc
  .array(
    fc.tuple(
      fc.constantFrom(
        ...['labelSelector', 'fieldSelector', 'limit', 'continue', 'resourceVersion', 'resourceVersionMatch'],
        ...[
          'timeoutSeconds',
          'fieldManager',
          'force',
          'dryRun',
          'fieldValidation',
          'propagationPolicy',
          'pretty',
        ],
        ...[
          'gracePeriodSeconds',
          'tailLines',
          'sinceSeconds',
          'sinceTime',
          'limitBytes',
          'container',
          'allowWatchBookmarks',
        ],
      ),
      fc.oneof(
        fc.constantFrom(
          '',
          '0',
          '-1',
          '1',
          'true',
          'All',
          'Strict',
          '99999999999999999999',
          'app in (',
          'metadata.name=',
          'e30',
          'NaN',
        ),
        fc.string({ maxLength: 10 }),
      ),
    ),
    { maxLength: 4 },
  )
  .map((pairs) => new URLSearchParams(pairs).toString());
const headers = fc.record(
  {
    accept: fc.constantFrom(
      '*/*',
      'application/json;as=Table;v=v1;g=meta.k8s.io',
      'application/json;as=Table;v=v9;g=x',
      'application/vnd.kubernetes.protobuf',
      'application/json;q=x,;;,',
      '',
    ),
    'content-type': fc.constantFrom(
      'application/json',
      'application/yaml',
      'application/apply-patch+yaml',
      'application/merge-patch+json',
      'application/json-patch+json',
      'application/strategic-merge-patch+json',
      'text/plain',
      ';;',
    ),
    'user-agent': fc.constantFrom('', 'x'.repeat(3000), '/'),
    host: fc.constantFrom('evil.example', '', '127.0.0.1:1'),
  },
  { requiredKeys: [] },
);
const bodies = fc.oneof(
  fc.constantFrom(
    '',
    '{}',
    'null',
    '[]',
    '{"kind":"DeleteOptions"}',
    '{"metadata":{"name":"x"}}',
    '[{"op":"remove","path":""}]',
  ),
  fc.constantFrom(
    '['.repeat(50_000),
    `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`,
    '- '.repeat(5000),
    '&a [*a]',
  ),
  fc.json({ maxDepth: 3 }),
);
const calls: fc.Arbitrary<Call> = fc.record({
  method: fc.constantFrom('GET', 'GET', 'GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'TRACE'),
  path: paths.map((parts) => `/${parts.join('/')}`),
  query: queries,
  headers,
  body: bodies,
});

/** Longer than any answer takes, shorter than a request that waits for ever. */
const PATIENCE_MS = 60_000;

test('methods, paths, queries, headers and bodies', { timeout: 900_000 }, async (t) => {
  const { url, dataDir, kubectl, http } = await apiRig(t);
  await kubectl(['create', '-f', '-'], POD_MANIFEST);
  const { ca, cert, key } = readKubeconfig(join(dataDir, 'kubeconfig'));
  const send = ({ method, path, query, headers: sent, body }: Call): Promise<number> =>
    new Promise((resolve, reject) => {
      const target = new URL(url);
      const text = ['GET', 'HEAD'].includes(method) ? '' : body;
      const call = request(
        {
          host: target.hostname,
          port: target.port,
          // As it is: URL would take the dots away.
          path: `${path}${query === '' ? '' : `?${query}`}`,
          method,
          ...{
            ca,
            cert,
            key,
            headers: { ...sent, 'content-length': Buffer.byteLength(text) },
            timeout: PATIENCE_MS,
            servername: 'localhost',
          },
        },
        (response) => {
          response.resume();
          response.on('end', () => resolve(response.statusCode ?? 0));
        },
      );
      call.on('timeout', () => call.destroy(new Error(`no answer to ${method} ${path}`)));
      call.on('error', reject);
      call.end(text);
    });
  await fuzz({ file: 'api.test.ts', corpus: 'api', input: calls, runs: 600 }, async (call) => {
    const code = await send(call);
    // 503: no node is there to serve a log or an exec.
    assert.ok((code >= 200 && code < 500) || code === 503, `${code}`);
  });
  assert.equal(await send({ method: 'GET', path: '/livez', query: '', headers: {}, body: '' }), 200);
  // A name is one part of a path: none that holds a slash leads to another object.
  await http.api.list({ group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true });
  for (const path of [
    '/api/v1/namespaces/default%2Fweb/pods',
    '/api/v1/namespaces%2Fdefault/pods/web',
    '/api/v1/pods/default%2Fweb',
  ])
    assert.notEqual(await send({ method: 'GET', path, query: '', headers: {}, body: '' }), 500);
});
