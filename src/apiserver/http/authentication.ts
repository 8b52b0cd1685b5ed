// Who asks: by client certificate, by the administrator's bearer token, by a ServiceAccount's. Nobody who shows neither is
// turned away here: that is the anonymous user. Who shows a wrong one is.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { PodwrightError } from '../../base/errors.ts';
import { authenticateToken, DEFAULT_AUDIENCES } from '../access/service-account-tokens.ts';
import { ANONYMOUS, AUTHENTICATED, MASTERS, type User } from '../access/user.ts';
import type { ServerParts } from '../request.ts';

export type Authenticators = { readonly parts: ServerParts; readonly adminToken: string };

const ADMINISTRATOR: User = { username: 'podwright-admin', groups: [MASTERS] };

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** A connection's certificate never changes, and to read it takes a tenth of a millisecond. */
const certified = new WeakMap<TLSSocket, User>();

/** The common name is the user, each organization a group. The server trusts one CA for clients: its own. */
function certificateUser(socket: IncomingMessage['socket']): User | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const known = certified.get(socket);
  if (known !== undefined) return known;
  const { CN, O = [] } = socket.getPeerCertificate().subject ?? {};
  if (typeof CN !== 'string') return undefined;
  const user = { username: CN, groups: typeof O === 'string' ? [O] : O };
  certified.set(socket, user);
  return user;
}

/** @throws Unauthorized */
async function tokenUser(token: string, { parts, adminToken }: Authenticators): Promise<User> {
  if (timingSafeEqual(digest(token), digest(adminToken))) return ADMINISTRATOR;
  return (await authenticateToken(parts, token, DEFAULT_AUDIENCES)).user;
}

/** @throws Unauthorized, which does not say why: the one who shows a wrong token need not know. */
export async function authenticate(request: IncomingMessage, by: Authenticators): Promise<User> {
  const user = certificateUser(request.socket) ?? (await bearer(request, by));
  if (user === undefined) return ANONYMOUS;
  return { ...user, groups: [...new Set([...user.groups, AUTHENTICATED])] };
}

async function bearer({ headers }: IncomingMessage, by: Authenticators): Promise<User | undefined> {
  const { authorization } = headers;
  if (authorization === undefined) return undefined;
  const token = /^Bearer\s+(\S+)$/i.exec(authorization)?.[1];
  try {
    if (token !== undefined) return await tokenUser(token, by);
  } catch (cause) {
    throw new PodwrightError('Unauthorized', 'Unauthorized', { cause });
  }
  throw new PodwrightError('Unauthorized', 'Unauthorized');
}
