// Who asks. One identity now: the administrator (group system:masters), by client certificate or bearer token.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';

/** What anybody may ask: whether the server is there, and which it is. */
const OPEN_PATHS = ['/livez', '/readyz', '/healthz', '/version'];

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

export function isAllowed(request: IncomingMessage, path: string, adminToken: string): boolean {
  if (OPEN_PATHS.includes(path)) return true;
  // The server trusts one CA for clients, its own, and that has signed the administrator's certificate only.
  if (request.socket instanceof TLSSocket && request.socket.authorized) return true;
  const token = /^Bearer\s+(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  return token !== undefined && timingSafeEqual(digest(token), digest(adminToken));
}
