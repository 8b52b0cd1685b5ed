// An upgrade through pods/NAME/proxy, such as a WebSocket's: the server in the pod takes it or answers something else.
import { type IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { badRequest } from '../../api-error.ts';
import { ask, type PodProxy, passOn } from '../pod-proxy.ts';
import { answerHeaders } from '../proxied-headers.ts';

type ProxyUpgrade = {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly closing: AbortSignal;
};

/** The pod's refusal of the upgrade is an ordinary answer, on a connection that ends with it. */
async function refuse(answer: IncomingMessage, proxy: PodProxy, upgrade: ProxyUpgrade): Promise<void> {
  const { request, socket, closing } = upgrade;
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  if (socket instanceof Socket) response.assignSocket(socket);
  await passOn(answer, response, { proxy, signal: closing });
  socket.end();
}

/** Resolves with the code when the pod's server has answered; from then on the bytes go both ways until either end closes. */
export async function serveProxyUpgrade(upgrade: ProxyUpgrade, proxy: PodProxy): Promise<number> {
  const { request, socket, head, closing } = upgrade;
  const {
    'content-length': length = '0',
    'transfer-encoding': encoding,
    upgrade: protocol = '',
  } = request.headers;
  if (length !== '0' || encoding !== undefined) throw badRequest('unable to upgrade: a request with a body');
  const gone = new AbortController();
  socket.once('close', () => gone.abort());
  const signal = AbortSignal.any([gone.signal, closing]);
  const { answer, upgraded } = await ask(request, proxy, { signal, upgrade: protocol });
  if (upgraded === undefined) {
    await refuse(answer, proxy, upgrade);
    return answer.statusCode ?? 502;
  }
  const { connection } = upgraded;
  const headers = {
    ...answerHeaders(answer, proxy),
    connection: 'Upgrade',
    upgrade: answer.headers.upgrade ?? protocol,
  };
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    [value ?? []].flat().map((one) => `${name}: ${one}\r\n`),
  );
  socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`);
  if (head.length > 0) socket.unshift(head);
  if (upgraded.head.length > 0) connection.unshift(upgraded.head);
  connection.on('error', () => connection.destroy());
  socket.pipe(connection);
  connection.pipe(socket);
  // Either end's end is both's, and this server's, too.
  connection.once('close', () => socket.destroy());
  signal.addEventListener('abort', () => connection.destroy(), { once: true });
  return 101;
}
