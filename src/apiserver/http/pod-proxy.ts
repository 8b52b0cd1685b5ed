// pods/[SCHEME:]NAME[:PORT]/proxy/PATH: a request as it came, to a port of the pod, over the connection that port-forward
// uses. So it also reaches what listens on the pod's loopback address alone. Links in pages are not rewritten.
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { connect as connectTls } from 'node:tls';
import { BOUNDS } from '../../base/bounds.ts';
import { errorText, PodwrightError } from '../../base/errors.ts';
import type { NodeLookup } from '../../client/node-api.ts';
import type { Pod } from '../../kube/api-types.ts';
import { badRequest } from '../api-error.ts';
import type { Kind } from '../kind.ts';
import { getObject } from '../read.ts';
import type { ServerParts } from '../request.ts';
import type { AuditedTrail } from './audit-event.ts';
import type { Exchange } from './exchange.ts';
import { nodeOf } from './pod-node.ts';
import { answerHeaders, type Origin, requestHeaders } from './proxied-headers.ts';

type ProxyRoute = {
  readonly kind: Kind;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
};
type Name = { readonly isTls: boolean; readonly pod: string; readonly port: number | undefined };

function parseName(id: string): Name {
  const [, scheme = '', pod = '', portText = ''] =
    /^(?:(https?|):(?=[^:]*:))?([^:]+)(?::([^:]*))?$/.exec(id) ?? [];
  const port = portText === '' ? undefined : Number(portText);
  const isPort = port === undefined || (/^\d{1,5}$/.test(portText) && port > 0 && port < 65_536);
  if (pod === '' || !isPort) throw badRequest(`invalid pod request ${JSON.stringify(id)}`);
  return { isTls: scheme === 'https', pod, port };
}

/** The first port that a container declares, or the scheme's own. */
function portOf({ isTls, port }: Name, { spec }: Pod): number {
  const declared = spec?.containers.flatMap(({ ports = [] }) => ports)[0]?.containerPort;
  return port ?? declared ?? (isTls ? 443 : 80);
}

/** What the URL says, as the client wrote it: an encoded slash stays one, and so does the last slash. */
function pathsOf({ url = '' }: IncomingMessage): { prefix: string; path: string; search: string } {
  const { pathname, search, searchParams } = new URL(url, 'https://localhost');
  // api, v1, namespaces, NAMESPACE, pods, NAME, proxy
  const [prefix = ''] = /^(?:\/+[^/]+){7}/.exec(pathname) ?? [];
  const path = pathname.slice(prefix.length) || (searchParams.get('path') ?? '');
  return { prefix, path: path === '' || path.startsWith('/') ? path : `/${path}`, search };
}

/** Nobody signed for a pod: kube-apiserver asks for no certificate either. */
async function secured(connection: Duplex, signal: AbortSignal): Promise<Duplex> {
  const tls = connectTls({ socket: connection, rejectUnauthorized: false });
  try {
    await once(tls, 'secureConnect', { signal });
  } catch (error) {
    tls.on('error', () => {});
    tls.destroy();
    connection.destroy();
    throw error;
  }
  return tls;
}

export type PodProxy = Origin & {
  readonly path: string;
  readonly search: string;
  /** Where the client is sent that asks for the proxy's own path, which has no last slash. */
  readonly redirect: string | undefined;
  connect(signal: AbortSignal): Promise<Duplex>;
};

/** @throws BadRequest, NotFound, ServiceUnavailable */
export function podProxy(
  request: IncomingMessage,
  { kind, namespace = '', name: id = '' }: ProxyRoute,
  { parts, nodeApi }: { readonly parts: ServerParts; readonly nodeApi: NodeLookup },
): PodProxy {
  const name = parseName(id);
  const pod: Pod = getObject(parts, kind, { namespace, name: name.pod });
  const node = nodeOf(pod, nodeApi);
  const port = portOf(name, pod);
  const { prefix, path, search } = pathsOf(request);
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  return {
    prefix,
    path,
    search,
    hosts: [request.headers.host ?? '', ...(pod.status?.podIPs ?? []).map(({ ip }) => `${ip}:${port}`)],
    redirect: path === '' && isRead ? `${prefix}/${search}` : undefined,
    connect: async (signal) => {
      const connection = await node.connectPort({ namespace, pod: name.pod, port, signal });
      return name.isTls ? secured(connection, signal) : connection;
    },
  };
}

export type ProxyAnswer = {
  readonly answer: IncomingMessage;
  /** The server behind the proxy took the upgrade: from here on these are its bytes. */
  readonly upgraded?: { readonly connection: Duplex; readonly head: Buffer };
};

/** Sends the request on. Resolves with the head of the answer. @throws ServiceUnavailable, as kube-apiserver words it */
export async function ask(
  request: IncomingMessage,
  proxy: PodProxy,
  options: { readonly signal: AbortSignal; readonly upgrade?: string },
): Promise<ProxyAnswer> {
  const slow = AbortSignal.timeout(BOUNDS.proxyAnswerMs);
  let connection: Duplex | undefined;
  try {
    connection = await proxy.connect(AbortSignal.any([options.signal, slow]));
    return await exchangeHeads(request, proxy, { ...options, connection, slow });
  } catch (cause) {
    connection?.destroy();
    const why = slow.aborted ? `no answer within ${BOUNDS.proxyAnswerMs / 1000} seconds` : errorText(cause);
    throw new PodwrightError('ServiceUnavailable', `error trying to reach service: ${why}`);
  }
}

function exchangeHeads(
  request: IncomingMessage,
  { prefix, path, search }: PodProxy,
  options: {
    readonly connection: Duplex;
    readonly signal: AbortSignal;
    readonly slow: AbortSignal;
    readonly upgrade?: string;
  },
): Promise<ProxyAnswer> {
  const { connection, upgrade, signal, slow } = options;
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest({
      createConnection: () => connection,
      method: request.method,
      path: `${path || '/'}${search}`,
      headers: {
        ...requestHeaders(request, `${prefix}${path || '/'}`),
        ...(upgrade === undefined ? { connection: 'close' } : { connection: 'Upgrade', upgrade }),
      },
    });
    const giveUp = (): void => void outgoing.destroy();
    signal.addEventListener('abort', giveUp, { once: true });
    slow.addEventListener('abort', giveUp, { once: true });
    const settle = (found: ProxyAnswer): void => {
      slow.removeEventListener('abort', giveUp);
      resolve(found);
    };
    outgoing.once('response', (answer) => settle({ answer }));
    outgoing.once('upgrade', (answer, taken, head) =>
      settle({ answer, upgraded: { connection: taken, head } }),
    );
    // Stays: what goes wrong after the head ends the answer's own stream.
    outgoing.on('error', reject);
    outgoing.once('close', () => {
      signal.removeEventListener('abort', giveUp);
      reject(new Error('the connection was closed'));
    });
    // A server may answer before it has read everything: what counts is whether it answers.
    if (upgrade === undefined) pipeline(request, outgoing).catch(() => {});
    else outgoing.end();
  });
}

/** The answer as it came. */
export async function passOn(
  answer: IncomingMessage,
  response: ServerResponse,
  {
    proxy,
    signal,
    trail,
  }: { readonly proxy: PodProxy; readonly signal: AbortSignal; readonly trail?: AuditedTrail },
): Promise<void> {
  response.writeHead(answer.statusCode ?? 502, answer.statusMessage ?? '', answerHeaders(answer, proxy));
  response.flushHeaders();
  trail?.start(response.statusCode);
  try {
    await pipeline(answer, response, { signal });
  } catch {
    // The pod or the client has gone in the middle: the answer ends as it is, which the client sees.
    response.destroy();
  }
}

export async function servePodProxy(
  { request, response, signal, trail }: Exchange,
  proxy: PodProxy,
): Promise<void> {
  if (proxy.redirect !== undefined) {
    response.writeHead(301, { Location: proxy.redirect });
    response.end();
    return;
  }
  const { answer } = await ask(request, proxy, { signal });
  await passOn(answer, response, { proxy, signal, trail });
}
