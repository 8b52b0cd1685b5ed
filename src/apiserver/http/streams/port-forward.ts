// pods/<name>/portforward: each TCP connection of the client is a pair of SPDY streams, "error" and "data", that carry the
// port and one request id. The protocol is the kubelet's, portforward.k8s.io.
import type { Duplex } from 'node:stream';
import { finished } from 'node:stream/promises';
import { BOUNDS } from '../../../base/bounds.ts';
import { errorText } from '../../../base/errors.ts';
import type { NodeApi } from '../../../client/node-api.ts';
import { type SpdyStream, serveSpdy } from './spdy.ts';

export const PORT_FORWARD_PROTOCOL = 'portforward.k8s.io';
/** SPDY/3.1 in the messages of a WebSocket (KEP-4006). */
export const TUNNEL_PROTOCOL = `SPDY/3.1+${PORT_FORWARD_PROTOCOL}`;

type Pod = { readonly namespace: string; readonly pod: string };

/** One connection to a port; resolves when it has ended, and what went wrong was told on the error stream. */
export async function forward(
  node: NodeApi,
  target: Pod & { readonly port: number },
  pair: Pair,
): Promise<void> {
  const { data, error } = pair;
  const { pod, port } = target;
  const ended = new AbortController();
  data.once('close', () => ended.abort());
  try {
    const connection = await node.connectPort({ ...target, signal: ended.signal });
    // Each way ends on its own: a client may be done with sending and still wait for the answer.
    data.pipe(connection);
    connection.pipe(data);
    data.once('close', () => connection.destroy());
    await finished(connection);
  } catch (cause) {
    if (!ended.signal.aborted)
      error.write(`error forwarding port ${port} to pod ${pod}: ${errorText(cause)}`);
  } finally {
    error.end();
    data.end();
  }
}

type Pair = { readonly data: Duplex; readonly error: Duplex };

function portOf({ headers }: SpdyStream): number | undefined {
  const port = Number(headers.get('port'));
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined;
}

/** Owns the transport; resolves when it has ended. */
export function servePortForward(transport: Duplex, node: NodeApi, pod: Pod): Promise<void> {
  const halves = new Map<string, { readonly data?: Duplex; readonly error?: Duplex }>();
  return serveSpdy(transport, (stream) => {
    const { headers, duplex } = stream;
    const type = headers.get('streamtype');
    const port = portOf(stream);
    if (port === undefined || (type !== 'data' && type !== 'error')) {
      duplex.destroy();
      return;
    }
    // Older clients send no request id: their data stream is the next one after their error stream.
    const requestId = headers.get('requestid') ?? String(type === 'error' ? stream.id : stream.id - 2);
    const pair = { ...halves.get(requestId), [type]: duplex };
    const { data, error } = pair;
    if (data === undefined || error === undefined) {
      if (halves.size < BOUNDS.spdyStreams) halves.set(requestId, pair);
      else duplex.destroy();
      return;
    }
    halves.delete(requestId);
    // Nothing comes in on the error stream but its end.
    error.resume();
    void forward(node, { ...pod, port }, { data, error });
  });
}
