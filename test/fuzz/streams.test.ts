// Whatever bytes a client sends on a stream: SPDY as the server reads it, and WebSocket and SPDY connections to the real
// server. A connection that speaks nonsense ends; the server, and every other connection, goes on.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { request } from 'node:https';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { createDeflate, constants as zlib } from 'node:zlib';
import fc from 'fast-check';
import { serveSpdy } from '../../src/apiserver/http/streams/spdy.ts';
import { SPDY_DICTIONARY } from '../../src/apiserver/http/streams/spdy-dictionary.ts';
import { readKubeconfig } from '../../src/client/kubeconfig.ts';
import type { NodeApi } from '../../src/client/node-api.ts';
import { apiRig, POD_MANIFEST } from '../lib/api-rig.ts';
import { fuzz } from './fuzz.ts';

const file = 'streams.test.ts';
const PATIENCE_MS = 60_000;

/** One end of a connection: what the client sends comes in, what the server says is dropped. */
function transportOf(chunks: readonly Buffer[]): Duplex {
  const left = [...chunks];
  return new Duplex({
    read() {
      this.push(left.shift() ?? null);
    },
    write: (_chunk, _encoding, callback) => callback(),
  });
}

const frame = (head: number, flags: number, payload: Buffer): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32BE(head >>> 0, 0);
  bytes.writeUInt32BE(((flags << 24) | payload.length) >>> 0, 4);
  return Buffer.concat([bytes, payload]);
};
const control = (type: number, flags: number, payload: Buffer): Buffer =>
  frame((0x80030000 | type) >>> 0, flags, payload);

/** Headers as the protocol has them; all of a connection share one compression. */
async function synStreams(streams: readonly Readonly<Record<string, string>>[]): Promise<Buffer[]> {
  const deflate = createDeflate({ dictionary: SPDY_DICTIONARY });
  const frames: Buffer[] = [];
  for (const [index, headers] of streams.entries()) {
    const counted = (word: string): Buffer => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(Buffer.byteLength(word));
      return Buffer.concat([length, Buffer.from(word)]);
    };
    const pairs = Object.entries(headers).flatMap(([name, value]) => [counted(name), counted(value)]);
    const count = Buffer.alloc(4);
    count.writeUInt32BE(Object.keys(headers).length);
    const chunks: Buffer[] = [];
    const collect = (chunk: Buffer): void => void chunks.push(chunk);
    deflate.on('data', collect);
    deflate.write(Buffer.concat([count, ...pairs]));
    await new Promise<void>((resolve) => deflate.flush(zlib.Z_SYNC_FLUSH, resolve));
    deflate.off('data', collect);
    const fixed = Buffer.alloc(10);
    fixed.writeUInt32BE(2 * index + 1);
    frames.push(control(1, 0, Buffer.concat([fixed, ...chunks])));
  }
  deflate.close();
  return frames;
}

const SESSION = Buffer.concat([
  ...(await synStreams([
    { streamtype: 'error', port: '80', requestid: '0' },
    { streamtype: 'data', port: '80', requestid: '0' },
    { streamtype: 'stdin' },
  ])),
  frame(3, 0, Buffer.from('hello')),
  control(6, 0, Buffer.from([0, 0, 0, 1])),
  frame(3, 1, Buffer.from('end')),
  control(3, 0, Buffer.from([0, 0, 0, 5, 0, 0, 0, 5])),
  control(7, 0, Buffer.alloc(8)),
]);

/** The session with some bytes of it changed, and cut off or repeated. */
const sessions = fc
  .tuple(
    fc.array(fc.tuple(fc.nat(SESSION.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
    fc.nat(SESSION.length),
    fc.boolean(),
  )
  .map(([changes, end, isTwice]) => {
    const copy = Buffer.from(SESSION);
    for (const [at, byte] of changes) copy[at] = byte;
    return (isTwice ? Buffer.concat([copy, copy.subarray(0, end)]) : copy.subarray(0, end)).toString('hex');
  });
const noise = fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const frames = fc
  .array(
    fc.tuple(
      fc.integer({ min: 0, max: 12 }),
      fc.integer({ min: 0, max: 255 }),
      fc.uint8Array({ maxLength: 30 }),
    ),
    { maxLength: 8 },
  )
  .map((list) =>
    Buffer.concat(list.map(([type, flags, bytes]) => control(type, flags, Buffer.from(bytes)))).toString(
      'hex',
    ),
  );

async function within<T>(what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not in time: ${what}`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

test('SPDY: every connection ends with its bytes, and its streams with it', async () => {
  await fuzz({ file, corpus: 'spdy', input: fc.oneof(sessions, frames, noise), runs: 2000 }, async (hex) => {
    const bytes = Buffer.from(hex, 'hex');
    for (const cut of [bytes.length, 1 + ((bytes[0] ?? 0) % 7)]) {
      const chunks: Buffer[] = [];
      for (let at = 0; at < bytes.length; at += cut) chunks.push(bytes.subarray(at, at + cut));
      const opened: Duplex[] = [];
      const served = serveSpdy(transportOf(chunks), ({ duplex }) => {
        opened.push(duplex);
        duplex.resume();
      });
      await within('the connection ends', served);
      for (const stream of opened) assert.ok(stream.destroyed);
    }
  });
});

test('SPDY: headers that unpack to gigabytes end the connection', async () => {
  const bomb = await synStreams([{ a: 'x'.repeat(50_000_000) }]);
  const opened: Duplex[] = [];
  await within(
    'the connection ends',
    serveSpdy(transportOf(bomb), ({ duplex }) => void opened.push(duplex)),
  );
  assert.deepEqual(opened, []);
});

/** Commands read their input to its end. */
const node: NodeApi = {
  logs: () => Promise.reject(new Error('no logs here')),
  exec: async ({ stdin, stdout }) => {
    const run = async (): Promise<number> => {
      if (stdin !== undefined) await text(stdin);
      await new Promise((resolve) => stdout.write('done', resolve));
      return 0;
    };
    return { exitCode: run(), resize: () => {} };
  },
  attach: (attached) => node.exec({ ...attached, command: ['attached'] }),
  connectPort: () => Promise.reject(new Error('no port here')),
  get: async () => undefined,
  usage: () => Promise.reject(new Error('no usage here')),
};

const PROTOCOLS = { websocket: 'v5.channel.k8s.io', 'SPDY/3.1': 'v4.channel.k8s.io' } as const;

test('WebSocket and SPDY connections to the server', { timeout: 900_000 }, async (t) => {
  const { url, dataDir, kubectl, http, server } = await apiRig(t, { node });
  await kubectl(['create', '-f', '-'], POD_MANIFEST);
  const running = { type: 'application/merge-patch+json', body: { status: { phase: 'Running' } } } as const;
  const PODS = { group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true } as const;
  await server.resources.patch(PODS, { name: 'web' }, running, { subresource: 'status' });
  const { ca, cert, key } = readKubeconfig(join(dataDir, 'kubeconfig'));
  const { hostname, port } = new URL(url);

  /** Sends the bytes after the upgrade and waits until the connection is over, by us at the latest. */
  const converse = (protocol: keyof typeof PROTOCOLS, verb: string, bytes: Buffer): Promise<number> =>
    new Promise((resolve, reject) => {
      const call = request({
        ...{ host: hostname, port, ca, cert, key },
        path: `/api/v1/namespaces/default/pods/web/${verb}?container=a&command=x&stdin=true&stdout=true`,
        method: protocol === 'websocket' ? 'GET' : 'POST',
        headers: {
          connection: 'Upgrade',
          upgrade: protocol,
          'sec-websocket-version': '13',
          'sec-websocket-key': randomBytes(16).toString('base64'),
          'sec-websocket-protocol':
            verb === 'portforward' ? 'SPDY/3.1+portforward.k8s.io' : PROTOCOLS.websocket,
          'x-stream-protocol-version': verb === 'portforward' ? 'portforward.k8s.io' : PROTOCOLS['SPDY/3.1'],
        },
      });
      call.on('error', reject);
      call.on('response', (response) => resolve(response.resume().statusCode ?? 0));
      call.on('upgrade', (_response, socket) => {
        socket.on('error', () => {});
        socket.resume().on('close', () => resolve(101));
        socket.end(bytes);
        // The server has to end its side once ours is over.
        setTimeout(() => socket.destroy(), 200).unref();
      });
      call.end();
    });

  const webSocketFrames = fc
    .array(
      fc.record({
        first: fc.integer({ min: 0, max: 255 }),
        length: fc.oneof(fc.constantFrom(0, 1, 125, 126, 127), fc.integer({ min: 0, max: 127 })),
        isMasked: fc.boolean(),
        payload: fc.uint8Array({ maxLength: 130 }),
      }),
      { maxLength: 5 },
    )
    .map((list) =>
      Buffer.concat(
        list.map(({ first, length, isMasked, payload }) =>
          Buffer.concat([
            Buffer.of(first, (isMasked ? 128 : 0) | length),
            Buffer.alloc(isMasked ? 4 : 0),
            payload,
          ]),
        ),
      ).toString('hex'),
    );
  const input = fc.record({
    protocol: fc.constantFrom<keyof typeof PROTOCOLS>('websocket', 'SPDY/3.1'),
    verb: fc.constantFrom('exec', 'attach', 'portforward'),
    hex: fc.oneof(webSocketFrames, sessions, noise),
  });
  await fuzz({ file, corpus: 'connections', input, runs: 60 }, async ({ protocol, verb, hex }) => {
    const code = await within(`${protocol} ${verb}`, converse(protocol, verb, Buffer.from(hex, 'hex')));
    assert.equal(code, 101);
  });
  assert.equal((await http.api.get(PODS, { namespace: 'default', name: 'web' })).metadata?.name, 'web');
});

test('SPDY: a client that goes while nobody reads what it sent: the connection ends, and its streams', async () => {
  const [open] = await synStreams([{ streamtype: 'stdin' }]);
  const data = Array.from({ length: 40 }, () => frame(1, 0, Buffer.alloc(64 * 1024)));
  const chunks = [open ?? Buffer.alloc(0), ...data];
  // What is not read yet stays where it is: the client's end is not seen in the bytes.
  const transport = new Duplex({
    read() {
      const next = chunks.shift();
      if (next !== undefined) this.push(next);
    },
    write: (_chunk, _encoding, callback) => callback(),
  });
  const opened = Promise.withResolvers<Duplex>();
  const served = serveSpdy(transport, ({ duplex }) => opened.resolve(duplex));
  const stream = await opened.promise;
  await new Promise((resolve) => setTimeout(resolve, 50));
  transport.destroy();
  await within('the connection ends', served);
  assert.ok(stream.destroyed);
});
