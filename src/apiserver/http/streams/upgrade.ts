// Requests that become streams: exec, attach and port-forward, as a WebSocket or as SPDY/3.1. What is refused is refused
// with a Status before the upgrade, so that a client can fall back or tell why.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { PodwrightError } from '../../../base/errors.ts';
import type { NodeApi, NodeLookup } from '../../../client/node-api.ts';
import { badRequest } from '../../api-error.ts';
import { getObject } from '../../read.ts';
import type { ServerParts } from '../../request.ts';
import { nodeOf } from '../pod-node.ts';
import { podProxy } from '../pod-proxy.ts';
import type { Route } from '../route.ts';
import { failureStatus } from '../status.ts';
import { PORT_FORWARD_PROTOCOL, servePortForward, TUNNEL_PROTOCOL } from './port-forward.ts';
import { serveProxyUpgrade } from './proxy-upgrade.ts';
import { remoteCommand } from './remote-command.ts';
import { SPDY_COMMAND_PROTOCOLS, serveSpdyCommand } from './spdy-command.ts';
import { serveWebSocketCommand, WEB_SOCKET_PROTOCOLS } from './web-socket-command.ts';
import { CHANNEL_PROTOCOL, portsOf, servePortForwardChannels } from './web-socket-port-forward.ts';

export type Upgrade = {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly query: URLSearchParams;
  /** Ends every stream. */
  readonly closing: AbortSignal;
};

/** A stream's two ways to be served; each lists the protocols it speaks, best first. */
type Stream = {
  readonly webSocket: { readonly protocols: readonly string[]; serve(socket: WebSocket): Promise<void> };
  readonly spdy: { readonly protocols: readonly string[]; serve(transport: Duplex): Promise<void> };
};

/** A refusal before the upgrade: a plain HTTP answer on the raw socket. */
export function refuseUpgrade(socket: Duplex, error: unknown): void {
  const status = failureStatus(error);
  const body = JSON.stringify(status);
  const head = [
    `HTTP/1.1 ${status.code} ${status.reason ?? ''}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

function offered(header: string | string[] | undefined): string[] {
  const texts = Array.isArray(header) ? header : (header ?? '').split(',');
  return texts.flatMap((text) => text.split(',')).map((text) => text.trim());
}

function choose(protocols: readonly string[], header: string | string[] | undefined): string {
  const found = protocols.find((one) => offered(header).includes(one));
  if (found !== undefined) return found;
  throw badRequest(`unable to upgrade: this stream speaks ${protocols.join(', ')}`);
}

async function serveWebSocket(upgrade: Upgrade, { webSocket }: Stream): Promise<void> {
  const { request, socket, head, closing } = upgrade;
  const protocol = choose(webSocket.protocols, request.headers['sec-websocket-protocol']);
  const { WebSocketServer } = await import('ws');
  // A protocol with a slash is no token to the library: it must neither see nor say it.
  delete request.headers['sec-websocket-protocol'];
  const server = new WebSocketServer({ noServer: true });
  server.on('headers', (headers) => headers.push(`Sec-WebSocket-Protocol: ${protocol}`));
  server.handleUpgrade(request, socket, head, (opened) => {
    closing.addEventListener('abort', () => opened.terminate(), { once: true });
    void webSocket.serve(opened);
  });
}

function serveSpdy(upgrade: Upgrade, { spdy }: Stream): void {
  const { request, socket, head, closing } = upgrade;
  const protocol = choose(spdy.protocols, request.headers['x-stream-protocol-version']);
  const answer = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: SPDY/3.1'];
  socket.write(`${[...answer, `X-Stream-Protocol-Version: ${protocol}`].join('\r\n')}\r\n\r\n`);
  if (head.length > 0) socket.unshift(head);
  closing.addEventListener('abort', () => socket.destroy(), { once: true });
  void spdy.serve(socket);
}

type PodName = { readonly namespace: string; readonly pod: string };

function portForward(upgrade: Upgrade, node: NodeApi, pod: PodName): Stream {
  const protocols = [TUNNEL_PROTOCOL, CHANNEL_PROTOCOL];
  const isTunnel = offered(upgrade.request.headers['sec-websocket-protocol']).includes(TUNNEL_PROTOCOL);
  const isWebSocket = upgrade.request.headers.upgrade?.toLowerCase() === 'websocket';
  const ports = isWebSocket && !isTunnel ? portsOf(upgrade.query) : [];
  return {
    webSocket: {
      protocols,
      serve: async (socket) => {
        if (!isTunnel) return servePortForwardChannels(socket, node, { ...pod, ports });
        const { createWebSocketStream } = await import('ws');
        await servePortForward(createWebSocketStream(socket), node, pod);
      },
    },
    spdy: {
      protocols: [PORT_FORWARD_PROTOCOL],
      serve: (transport) => servePortForward(transport, node, pod),
    },
  };
}

function streamOf(upgrade: Upgrade, node: NodeApi, route: Extract<Route, { type: 'resource' }>): Stream {
  const { namespace = '', name = '', subresource } = route;
  const { query } = upgrade;
  if (subresource === 'portforward') return portForward(upgrade, node, { namespace, pod: name });
  if (subresource !== 'exec' && subresource !== 'attach') {
    throw new PodwrightError('NotFound', `pods have no stream ${subresource}`);
  }
  const target = { namespace, pod: name, container: query.get('container') || undefined };
  const command = remoteCommand(subresource, node, { target, query });
  return {
    webSocket: {
      protocols: WEB_SOCKET_PROTOCOLS,
      serve: (socket) => serveWebSocketCommand(socket, command),
    },
    spdy: { protocols: SPDY_COMMAND_PROTOCOLS, serve: (transport) => serveSpdyCommand(transport, command) },
  };
}

/** The caller knows who asks, and that they may. Resolves with the code of the answer. Throws what refuseUpgrade answers. */
export async function serveUpgrade(
  upgrade: Upgrade,
  route: Route,
  { parts, nodeApi }: { readonly parts: ServerParts; readonly nodeApi: NodeLookup },
): Promise<number> {
  if (route.type !== 'resource' || route.subresource === undefined || route.name === undefined) {
    throw new PodwrightError('NotFound', `the server has no stream at ${upgrade.request.url}`);
  }
  const { kind, namespace = '', name } = route;
  if (route.subresource === 'proxy' && kind.kind === 'Pod')
    return serveProxyUpgrade(upgrade, podProxy(upgrade.request, route, { parts, nodeApi }));
  const node = nodeOf(getObject(parts, kind, { namespace, name }), nodeApi);
  const stream = streamOf(upgrade, node, route);
  const protocol = (upgrade.request.headers.upgrade ?? '').toLowerCase();
  if (protocol === 'websocket') await serveWebSocket(upgrade, stream);
  else if (protocol === 'spdy/3.1') serveSpdy(upgrade, stream);
  else throw badRequest(`unable to upgrade: ${JSON.stringify(protocol)} is neither websocket nor SPDY/3.1`);
  return 101;
}
