// One client's flood costs another at most its turn; who takes nothing of an answer is cut.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { createSeats } from '../../src/apiserver/http/seats.ts';
import { isPodwrightError } from '../../src/base/errors.ts';
import { readKubeconfig } from '../../src/client/kubeconfig.ts';
import { CONFIG_MAPS } from '../../src/client/resources.ts';
import { apiRig } from '../lib/api-rig.ts';

const signal = new AbortController().signal;

test('one user never has all seats, and waiting users take turns', async () => {
  const seats = createSeats({ seats: 4, perUser: 2, queue: 10 });
  const order: string[] = [];
  const leaves: (() => void)[] = [];
  const come = async (user: string): Promise<void> => {
    const leave = await seats.take(user, signal);
    order.push(user);
    leaves.push(leave);
  };
  const flood = Array.from({ length: 8 }, () => come('flood'));
  await sleep(1);
  assert.deepEqual(order, ['flood', 'flood'], 'half of the seats');
  const others = ['a', 'b', 'c', 'b'].map(come);
  await sleep(1);
  assert.deepEqual(order.slice(2), ['a', 'b'], 'the other half is there for whoever comes');
  // The flood has waited longest, c and b come in their turns before its other six.
  for (let turn = 0; turn < 20 && leaves.length > 0; turn += 1) {
    leaves.shift()?.();
    await sleep(1);
  }
  await Promise.all([...flood, ...others]);
  assert.ok(order.indexOf('c') <= 6 && order.lastIndexOf('b') <= 7, order.join(' '));
  assert.equal(order.filter((user) => user === 'flood').length, 8, 'nobody is forgotten');
});

test('a full queue refuses with 429 and Retry-After; who goes away makes room', async () => {
  const seats = createSeats({ seats: 1, perUser: 1, queue: 1 });
  const leave = await seats.take('u', signal);
  const gone = new AbortController();
  const waiting = seats.take('u', gone.signal);
  await assert.rejects(seats.take('u', signal), (error) => {
    assert.ok(isPodwrightError(error, 'TooManyRequests'));
    assert.equal(error.details.retryAfterSeconds, 1);
    return true;
  });
  gone.abort();
  await assert.rejects(waiting);
  const next = seats.take('u', signal);
  leave();
  leave();
  (await next)();
  (await seats.take('u', signal))();
});

test('a flood of writes leaves room for another user’s read', { timeout: 60_000 }, async (t) => {
  const { server, url, kubeconfigPath, http } = await apiRig(t);
  const { ca } = readKubeconfig(kubeconfigPath);
  assert.ok(server);
  // Requests that never end: their heads are there, their bodies never come.
  const { cert, key } = readKubeconfig(kubeconfigPath);
  const { port, hostname } = new URL(url);
  const open = async (): Promise<ReturnType<typeof connect>> => {
    const socket = connect({ host: hostname, port: Number(port), ca, cert, key });
    socket.on('error', () => {});
    await once(socket, 'secureConnect');
    socket.write(
      'POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
    );
    return socket;
  };
  // More than there are seats for everybody.
  const flood = await Promise.all(Array.from({ length: 260 }, open));
  t.after(() => {
    for (const socket of flood) socket.destroy();
  });
  await sleep(200);
  // Nobody else's certificate is at hand: the anonymous user is another user, and is answered (with 403) at once.
  const response = await new Promise<string>((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), ca }, () =>
      socket.write('GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'),
    );
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
  });
  assert.match(response, /HTTP\/1\.1 200/);
  for (const socket of flood) socket.destroy();
  // What went away has given its seats back.
  await http.api.list(CONFIG_MAPS, { namespace: 'default' });
});

test('a watcher that reads nothing is cut; one that reads sees everything', {
  timeout: 120_000,
}, async (t) => {
  const { server, url, kubeconfigPath } = await apiRig(t);
  const { ca, cert, key } = readKubeconfig(kubeconfigPath);
  const { port, hostname } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), ca, cert, key });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  socket.write('GET /api/v1/namespaces/default/configmaps?watch=1 HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(socket, 'data');
  socket.pause();
  const closed = once(socket, 'close');
  const ended = new AbortController();
  let seen = 0;
  const watching = (async () => {
    for await (const event of server.resources.watch(CONFIG_MAPS, {
      namespace: 'default',
      signal: ended.signal,
    }))
      if (event.type === 'ADDED') seen += 1;
  })();
  const filling = 'x'.repeat(500_000);
  for (let i = 0; i < 40; i += 1)
    await server.resources.create(CONFIG_MAPS, { metadata: { name: `big-${i}` }, data: { filling } });
  const atMs = Date.now();
  // The kernel tells of the cut only to who reads.
  await sleep(12_000);
  socket.resume();
  await closed;
  assert.ok(Date.now() - atMs < 60_000);
  assert.ok(socket.bytesRead < 40 * 500_000, `not all came: ${socket.bytesRead}`);
  ended.abort();
  await watching;
  assert.ok(seen >= 40, `the other watcher saw ${seen}`);
});
