// pods/NAME/proxy: what goes through to a server in the pod, and back. Here the node connects to servers of this test; a real
// container answers in test/engine/streams.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, request as httpsRequest } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { PodwrightError } from '../../src/base/errors.ts';
import type { NodeApi } from '../../src/client/node-api.ts';
import { PODS } from '../../src/client/resources.ts';
import { type ApiRig, apiRig } from '../lib/api-rig.ts';

type Echo = {
  readonly method: string;
  readonly url: string;
  readonly headers: { readonly [name: string]: string };
  readonly body: string;
};
type Answer = { readonly code: number; readonly headers: IncomingMessage['headers']; readonly body: string };
type Asking = {
  readonly signal?: AbortSignal;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
};

/** By the port that the client names: a server's own port, for there is no pod's network here. */
type ProxyRig = ApiRig & {
  readonly ports: { readonly http: number; readonly https: number };
  ask(path: string, asking?: Asking): Promise<Answer>;
  readonly plain: Server;
};

async function echo(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method, url, headers } = request;
  if (url === '/moved') {
    response.writeHead(302, { Location: '/there?x=1' }).end();
    return;
  }
  if (url === '/elsewhere') {
    response.writeHead(302, { Location: 'https://example.com/there' }).end();
    return;
  }
  if (url === '/hang') return;
  if (url === '/cut') {
    response.writeHead(200, { 'Content-Length': '100' });
    response.write('half', () => response.destroy());
    return;
  }
  const body = await text(request);
  response.writeHead(method === 'PUT' ? 418 : 200, {
    'Access-Control-Allow-Origin': '*',
    'X-Hop': 'hop',
    'Keep-Alive': 'timeout=9',
    Connection: 'X-Hop, close',
    'Set-Cookie': ['a=1', 'b=2'],
  });
  response.end(JSON.stringify({ method, url, headers, body }));
}

async function proxyRig(t: TestContext): Promise<ProxyRig> {
  const node = {
    connectPort: async ({ port }: { port: number }) => {
      const socket = connect(port, '127.0.0.1');
      try {
        await once(socket, 'connect');
      } catch (cause) {
        throw new PodwrightError('NetworkFailed', `connect to port ${port}`, { cause });
      }
      return socket;
    },
  } as unknown as NodeApi;
  const rig = await apiRig(t, { node });
  const pki = join(rig.dataDir, 'pki');
  const plain = createServer((request, response) => void echo(request, response));
  const sockets = new WebSocketServer({ noServer: true });
  plain.on('upgrade', (request, socket, head) => {
    if (request.url !== '/socket')
      return void socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
    sockets.handleUpgrade(request, socket, head, (opened) => {
      opened.on('message', (data) => opened.send(`you said ${String(data)}`));
    });
  });
  const keys = {
    cert: readFileSync(join(pki, 'server.crt')),
    key: readFileSync(join(pki, 'server.key')),
  };
  const secure = createTlsServer(keys, (request, response) => void echo(request, response));
  for (const server of [plain, secure]) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
  }
  const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port;
  const ports = { http: portOf(plain), https: portOf(secure) };
  await rig.server.resources.create(PODS, {
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      nodeName: 'n1',
      containers: [
        { name: 'a', image: 'i' },
        { name: 'b', image: 'i', ports: [{ containerPort: ports.http }] },
      ],
    },
  });
  const token = readFileSync(join(pki, 'admin.token'), 'utf8').trim();
  const ask = async (
    path: string,
    { method = 'GET', headers = {}, body, signal }: Asking = {},
  ): Promise<Answer> => {
    const url = `${rig.url}/api/v1/namespaces/default/${path}`;
    const all = { Authorization: `Bearer ${token}`, ...headers };
    const request = httpsRequest(url, {
      method,
      headers: all,
      rejectUnauthorized: false,
      ...(signal && { signal }),
    });
    request.end(body);
    const [answer] = (await once(request, 'response')) as [IncomingMessage];
    return { code: answer.statusCode ?? 0, headers: answer.headers, body: await text(answer) };
  };
  return { ...rig, ports, ask, plain };
}

const echoOf = ({ body }: Answer): Echo => JSON.parse(body) as Echo;

test('a request goes through as it came, without what is about this connection or this client', {
  timeout: 60_000,
}, async (t) => {
  const { ask, ports, url } = await proxyRig(t);
  const answer = await ask(`pods/web:${ports.http}/proxy/a%2Fb/c/?q=%20x&q=2`, {
    method: 'POST',
    body: 'hello',
    headers: { 'X-Mine': 'yes', 'X-Gone': 'no', Connection: 'X-Gone', TE: 'trailers' },
  });
  const { method, url: asked, headers, body } = echoOf(answer);
  assert.deepEqual([method, asked, body], ['POST', '/a%2Fb/c/?q=%20x&q=2', 'hello']);
  assert.equal(headers['x-mine'], 'yes');
  for (const name of ['authorization', 'x-gone', 'te']) assert.equal(headers[name], undefined, name);
  assert.equal(headers['x-forwarded-host'], new URL(url).host);
  assert.equal(
    headers['x-forwarded-uri'],
    `/api/v1/namespaces/default/pods/web:${ports.http}/proxy/a%2Fb/c/`,
  );
  assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2']);
  for (const name of ['access-control-allow-origin', 'x-hop'])
    assert.equal(answer.headers[name], undefined, name);
  assert.notEqual(answer.headers['keep-alive'], 'timeout=9');

  const put = await ask('pods/web/proxy/x', { method: 'PUT', body: 'b' });
  assert.deepEqual([put.code, echoOf(put).method], [418, 'PUT'], 'the port that a container declares');
  assert.equal(echoOf(await ask('pods/web/proxy/x', { method: 'DELETE' })).method, 'DELETE');
  assert.equal(echoOf(await ask('pods/web/proxy?path=/y')).url, '/y?path=/y');
  const secure = echoOf(await ask(`pods/https:web:${ports.https}/proxy/s`));
  assert.equal(secure.url, '/s');
});

test('redirections lead through the proxy; a cut answer is a cut answer', { timeout: 60_000 }, async (t) => {
  const { ask } = await proxyRig(t);
  const path = '/api/v1/namespaces/default/pods/web/proxy';
  const bare = await ask('pods/web/proxy?q=1');
  assert.deepEqual([bare.code, bare.headers.location], [301, `${path}/?q=1`]);
  assert.equal((await ask('pods/web/proxy/moved')).headers.location, `${path}/there?x=1`);
  assert.equal((await ask('pods/web/proxy/elsewhere')).headers.location, 'https://example.com/there');
  await assert.rejects(ask('pods/web/proxy/cut'), /aborted/);
});

test('a client that goes takes its request to the pod along', { timeout: 60_000 }, async (t) => {
  const { ask, plain } = await proxyRig(t);
  const gone = new AbortController();
  const asked = once(plain, 'request');
  const refused = assert.rejects(ask('pods/web/proxy/hang', { signal: gone.signal }), /aborted/);
  const [request] = (await asked) as [IncomingMessage];
  const closed = once(request.socket, 'close');
  gone.abort();
  await refused;
  await closed;
});

test('what cannot be reached is told in Kubernetes’ words, and who may not is refused', {
  timeout: 60_000,
}, async (t) => {
  const { kubectl, ask, ports } = await proxyRig(t);
  const raw = async (path: string, ...flags: string[]): Promise<string> =>
    (await kubectl(['get', '--raw', `/api/v1/namespaces/default/${path}`, ...flags])).stderr;
  assert.match(
    await raw('pods/web:1/proxy/'),
    /^Error from server \(ServiceUnavailable\): error trying to reach service: connect to port 1.*ECONNREFUSED/,
  );
  assert.match(
    await raw(`pods/https:web:${ports.http}/proxy/`),
    /ServiceUnavailable\): error trying to reach/,
  );
  assert.match(await raw('pods/nobody:80/proxy/'), /pods "nobody" not found/);
  for (const name of ['web:x', 'web:0', 'web:70000', 'ftp:web:80', 'a:b:c:d'])
    assert.match((await ask(`pods/${name}/proxy/`)).body, /invalid pod request/, name);
  await kubectl(['create', 'service', 'clusterip', 'web', '--tcp=80']);
  assert.match(await raw('services/web:80/proxy/x'), /services have no subresource proxy/);
  await kubectl(['create', 'role', 'reads', '--verb=get', '--resource=pods/proxy']);
  await kubectl(['create', 'rolebinding', 'reads', '--role=reads', '--user=alice']);
  await kubectl(['create', 'rolebinding', 'views', '--clusterrole=view', '--user=bob']);
  assert.equal(await raw('pods/web/proxy/x', '--as=alice'), '');
  assert.match(await raw('pods/web/proxy/x', '--as=bob'), /cannot get resource "pods\/proxy"/);
  const { body } = await ask('pods/web/proxy/x', {
    method: 'POST',
    headers: { 'Impersonate-User': 'alice' },
  });
  assert.match(body, /cannot create resource \\"pods\/proxy\\"/);
  const seen = echoOf(await ask('pods/web/proxy/x', { headers: { 'Impersonate-User': 'alice' } }));
  assert.equal(seen.headers['impersonate-user'], undefined);
});

test('a WebSocket goes through, and the refusal of one', { timeout: 60_000 }, async (t) => {
  const { url, dataDir } = await proxyRig(t);
  const token = readFileSync(join(dataDir, 'pki', 'admin.token'), 'utf8').trim();
  const open = (path: string): WebSocket =>
    new WebSocket(`${url}/api/v1/namespaces/default/pods/web/proxy${path}`, {
      rejectUnauthorized: false,
      headers: { Authorization: `Bearer ${token}` },
    });
  const socket = open('/socket');
  await once(socket, 'open');
  socket.send('hello');
  const [data] = await once(socket, 'message');
  assert.equal(String(data), 'you said hello');
  socket.close();
  await once(socket, 'close');
  const refused = open('/else');
  const [error] = await once(refused, 'error');
  assert.match(String(error), /Unexpected server response: 403/);
});
