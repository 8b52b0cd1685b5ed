// http, tcp and grpc checks against real servers on loopback: what the kubelet's probers say of each answer.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttp2, type ServerHttp2Stream } from 'node:http2';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, createServer as createTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Check, type CheckResult, checkOf, type HttpCheck } from '../../src/agent/checks/check.ts';
import { checkRunner } from '../../src/agent/checks/run-check.ts';
import { containerId } from '../../src/base/brand.ts';

const noExec = {
  exec: (): never => {
    throw new Error('no exec here');
  },
};

function run(check: Check, timeoutMs = 60_000): Promise<CheckResult> {
  return checkRunner(noExec)(check, { timeoutMs, signal: AbortSignal.timeout(timeoutMs) });
}

const portOf = (server: { address(): AddressInfo | string | null }): number =>
  (server.address() as AddressInfo).port;

function listen<T extends { listen(port: number, host: string, done: () => void): unknown }>(
  server: T,
): Promise<T> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  const path = request.url ?? '';
  if (path === '/echo') response.end(JSON.stringify(request.headers));
  else if (path === '/hang') return;
  else if (path === '/local') response.writeHead(302, { Location: '/bad' }).end();
  else if (path === '/loop') response.writeHead(302, { Location: '/loop' }).end();
  else if (path === '/away') response.writeHead(302, { Location: 'http://192.0.2.1/x' }).end('gone away');
  else response.writeHead(path === '/bad' ? 503 : 200).end();
}

describe('http checks', () => {
  let server: Server;
  const http = (path: string, more: Partial<HttpCheck> = {}): Check => ({
    kind: 'http',
    scheme: 'http',
    host: '127.0.0.1',
    port: portOf(server),
    path,
    headers: [],
    ...more,
  });
  before(async () => {
    server = await listen(createServer(answer));
  });
  after(() => server.closeAllConnections());
  after(() => server.close());

  test('2xx and 3xx succeed, everything else fails', async () => {
    assert.equal((await run(http('/ok?a=b'))).kind, 'success');
    assert.deepEqual(await run(http('/bad')), {
      kind: 'failure',
      output: 'HTTP probe failed with statuscode: 503',
    });
  });

  test('the request is the kubelet’s, with the headers of the probe over it', async () => {
    const headers = [
      { name: 'X-One', value: '1' },
      { name: 'Host', value: 'app.example' },
    ];
    const seen = JSON.parse((await run(http('/echo', { headers }))).output) as Record<string, string>;
    assert.equal(seen['user-agent'], 'kube-probe/1.36');
    assert.equal(seen.accept, '*/*');
    assert.equal(seen.connection, 'close');
    assert.equal(seen.host, 'app.example');
    assert.equal(seen['x-one'], '1');
  });

  test('a redirect is followed on the same host, and a warning elsewhere', async () => {
    assert.equal((await run(http('/local'))).output, 'HTTP probe failed with statuscode: 503');
    assert.deepEqual(await run(http('/away')), {
      kind: 'warning',
      output: 'Probe terminated redirects, Response body: gone away',
    });
    assert.match((await run(http('/loop'))).output, /stopped after 10 redirects/);
  });

  test('no answer in time, and no server', async () => {
    const url = `http://127.0.0.1:${portOf(server)}/hang`;
    assert.deepEqual(await run(http('/hang'), 100), {
      kind: 'failure',
      output: `Get "${url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
    });
    assert.match(
      (await run(http('/', { port: 1 }))).output,
      /^Get "http:\/\/127\.0\.0\.1:1\/": dial tcp 127\.0\.0\.1:1: connect: connection refused$/,
    );
  });

  test('https: nobody’s certificate is good enough', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'podwright-checks-'));
    try {
      const [key, cert] = [join(dir, 'key'), join(dir, 'cert')];
      const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
      execFileSync('openssl', [...args, '-subj', '/CN=x', '-keyout', key, '-out', cert], { stdio: 'ignore' });
      const secure = await listen(createHttps({ key: readFileSync(key), cert: readFileSync(cert) }, answer));
      assert.equal((await run(http('/', { scheme: 'https', port: portOf(secure) }))).kind, 'success');
      secure.close();
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

test('tcp checks', async () => {
  const server = await listen(createTcp((socket) => socket.destroy()));
  const port = portOf(server);
  assert.equal((await run({ kind: 'tcp', host: '127.0.0.1', port })).kind, 'success');
  server.close();
  assert.deepEqual(await run({ kind: 'tcp', host: '127.0.0.1', port }), {
    kind: 'failure',
    output: `dial tcp 127.0.0.1:${port}: connect: connection refused`,
  });
});

test('grpc checks speak grpc.health.v1', async () => {
  const server = createHttp2();
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      const service = Buffer.concat(chunks).subarray(7).toString();
      if (service === 'hang') return;
      const head = { ':status': 200, 'content-type': 'application/grpc' };
      if (headers[':path'] !== '/grpc.health.v1.Health/Check' || service === 'old') {
        stream.respond(
          { ...head, 'grpc-status': 12, 'grpc-message': 'unknown service' },
          { endStream: true },
        );
        return;
      }
      stream.respond(head, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': 0 }));
      stream.end(Buffer.from([0, 0, 0, 0, 2, 0x08, service === 'sick' ? 2 : 1]));
    });
  });
  await listen(server);
  const grpc = (service: string): Check => ({
    kind: 'grpc',
    host: '127.0.0.1',
    port: portOf(server),
    service,
  });
  assert.equal((await run(grpc(''))).kind, 'success');
  assert.equal((await run(grpc('well'))).kind, 'success');
  assert.equal((await run(grpc('sick'))).output, 'service unhealthy (responded with "NOT_SERVING")');
  assert.match((await run(grpc('old'))).output, /does not implement the grpc health protocol/);
  assert.match((await run(grpc('hang'), 100)).output, /^timeout: failed to connect service .* within 0.1s/);
  server.close();
  const gone = await run({ kind: 'grpc', host: '127.0.0.1', port: 1, service: '' });
  assert.match(gone.output, /^error: failed to connect service at "127.0.0.1:1": .*connection refused$/);
});

test('ports by number, text and name', () => {
  const ports = [{ name: 'web', containerPort: 8080 }];
  const target = { container: { name: 'a', ports }, id: containerId('u_a_0'), podIp: '10.0.0.9' };
  const portFor = (port: number | string): number | string => {
    const check = checkOf({ tcpSocket: { port } }, target);
    return check.kind === 'tcp' ? check.port : check.kind;
  };
  assert.deepEqual([80, '81', 'web', 'nope', 0].map(portFor), [80, 81, 8080, 'invalid', 'invalid']);
});
