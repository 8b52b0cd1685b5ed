// What of a request's and an answer's headers goes through a proxy (RFC 9110, 7.6.1): nothing that is about one connection,
// nothing by which the client is known here, and no leave for other pages to read what this server says.
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { Socket } from 'node:net';

const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
/** `expect` was answered here; the first value of the forwarded ones is this server's to say. */
const OWN = /^(authorization|impersonate-.*|expect|x-forwarded-(uri|host|proto))$/;
const CROSS_ORIGIN = /^access-control-/;

function endToEnd({ headers, headersDistinct }: IncomingMessage, dropped: RegExp): OutgoingHttpHeaders {
  const named = (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase());
  const all = Object.entries(headersDistinct).filter(
    ([name]) => !HOP_BY_HOP.has(name) && !named.includes(name) && !dropped.test(name),
  );
  return Object.fromEntries(all);
}

/** `uri` is where the client finds what it asks for: what stands behind the proxy may need it for its links. */
export function requestHeaders(request: IncomingMessage, uri: string): OutgoingHttpHeaders {
  const { headers, socket } = request;
  const from = socket instanceof Socket ? (socket.remoteAddress ?? '') : '';
  const before = headers['x-forwarded-for'];
  return {
    ...endToEnd(request, OWN),
    'x-forwarded-uri': uri,
    'x-forwarded-host': headers.host ?? '',
    'x-forwarded-proto': 'https',
    'x-forwarded-for': before === undefined ? from : `${String(before)}, ${from}`,
  };
}

/** A redirection within what is behind the proxy leads through the proxy again. */
function rewritten(location: string, { prefix, hosts }: Origin): string {
  const base = 'http://relative.invalid';
  if (!URL.canParse(location, base)) return location;
  const { host, pathname, search, hash } = new URL(location, base);
  const isOwn = location.startsWith('/') && !location.startsWith('//');
  if (!isOwn && !hosts.includes(host)) return location;
  const path = pathname.startsWith(prefix) ? pathname : `${prefix}${pathname}`;
  return `${path}${search}${hash}`;
}

export type Origin = {
  /** The proxy's own path: what is behind it begins after it. */
  readonly prefix: string;
  /** Names of the server behind it, with its port. */
  readonly hosts: readonly string[];
};

export function answerHeaders(answer: IncomingMessage, origin: Origin): OutgoingHttpHeaders {
  const { location } = answer.headers;
  return {
    ...endToEnd(answer, CROSS_ORIGIN),
    ...(location === undefined ? {} : { location: rewritten(location, origin) }),
  };
}
