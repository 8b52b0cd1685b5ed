// pods/<name>/portforward over a WebSocket without SPDY inside (v4.channel.k8s.io), as client libraries speak it: the ports are
// in the URL, each has two channels, data (even) and errors (odd), and each channel's first two bytes from the server are
// its port, little-endian. One connection a port.
import { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { NodeApi } from '../../../client/node-api.ts';
import { badRequest } from '../../api-error.ts';
import { forward } from './port-forward.ts';

export const CHANNEL_PROTOCOL = 'v4.channel.k8s.io';
/** A channel's number is one byte. */
const PORTS_MAX = 127;

/** @throws BadRequest */
export function portsOf(query: URLSearchParams): number[] {
  const texts = query.getAll('ports').flatMap((text) => text.split(','));
  const ports = texts.map(Number);
  const isPort = (port: number): boolean => Number.isInteger(port) && port > 0 && port < 65_536;
  if (ports.length === 0 || ports.length > PORTS_MAX || !ports.every(isPort))
    throw badRequest(
      `unable to upgrade: query parameter "ports": ${JSON.stringify(texts.join(','))} are no ports`,
    );
  return ports;
}

function channel(socket: WebSocket, number: number): Duplex {
  const duplex = new Duplex({
    // The callback comes when the message has left: a pod that sends faster than the client reads waits.
    write(chunk: Buffer, _encoding, callback) {
      socket.send(Buffer.concat([Buffer.of(number), chunk]), (error) => callback(error ?? undefined));
    },
    read: () => socket.resume(),
  });
  // The client has gone; the socket's end tells so.
  duplex.on('error', () => {});
  return duplex;
}

/** Owns the socket; resolves when every connection has ended. */
export async function servePortForwardChannels(
  socket: WebSocket,
  node: NodeApi,
  { ports, ...pod }: { readonly namespace: string; readonly pod: string; readonly ports: readonly number[] },
): Promise<void> {
  const pairs = ports.map((port, index) => {
    const [data, error] = [channel(socket, 2 * index), channel(socket, 2 * index + 1)] as const;
    const start = Buffer.alloc(2);
    start.writeUInt16LE(port);
    data.write(start);
    error.write(start);
    return { port, data, error };
  });
  socket.on('message', (message: Buffer) => {
    const number = message[0] ?? 1;
    const data = number % 2 === 0 ? pairs[number / 2]?.data : undefined;
    if (data?.push(message.subarray(1)) === false) socket.pause();
  });
  socket.on('close', () => {
    for (const { data } of pairs) data.destroy();
  });
  socket.on('error', () => socket.terminate());
  await Promise.all(pairs.map(({ port, ...pair }) => forward(node, { ...pod, port }, pair)));
  if (socket.readyState === socket.OPEN) socket.close(1000);
}
