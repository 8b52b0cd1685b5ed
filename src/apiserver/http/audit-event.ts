// What the audit log says of a request: who asked for what, when, and what came of it (audit.k8s.io/v1, level Metadata).
// Never a body, a header but the client's name, or a command that was run: those may hold secrets.
// https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { User } from '../access/user.ts';
import { type Asked, attributesOf } from './access.ts';

/** What becomes known of a request on its way. */
export type Trail = {
  /** One for all stages of a request. */
  readonly auditId: string;
  readonly receivedMs: number;
  /** Absent: it was not found out. */
  user?: User;
  impersonatedUser?: User;
  readonly annotations: Map<string, string>;
};

export const newTrail = (receivedMs: number): Trail => ({
  auditId: randomUUID(),
  receivedMs,
  annotations: new Map(),
});

/** Both are nothing without an audit log. `start` is of what goes on: streams, watches, logs and what is behind a proxy. */
export type AuditedTrail = Trail & { start(code: number): void; end(code: number): void };

export type AuditedRequest = {
  readonly request: IncomingMessage;
  readonly asked: Asked;
  readonly trail: Trail;
  readonly stage: 'ResponseStarted' | 'ResponseComplete';
  readonly code: number;
  readonly nowMs: number;
};

/** Words of a command, and what a client sends by its URL in place of a body. */
const SECRET_PARAMETERS = ['command', 'access_token'];

function requestUri({ path, query }: Asked): string {
  const shown = [...query].map(([name, value]) => [name, SECRET_PARAMETERS.includes(name) ? '...' : value]);
  return shown.length === 0 ? path : `${path}?${new URLSearchParams(shown)}`;
}

function userOf({ username, uid, groups, extra }: User): object {
  return { username, ...(uid && { uid }), groups, ...(extra && Object.keys(extra).length > 0 && { extra }) };
}

function objectRef(asked: Asked): object | undefined {
  const attributes = attributesOf(asked);
  if (attributes.type === 'path') return undefined;
  const { resource, namespace, name, group, subresource } = attributes;
  const { route } = asked;
  return {
    resource,
    ...(namespace && { namespace }),
    ...(name && { name }),
    ...(group && { apiGroup: group }),
    apiVersion: route.type === 'resource' ? route.kind.version : 'v1',
    ...(subresource && { subresource }),
  };
}

/** Microseconds, as metav1.MicroTime has them. */
const microTime = (ms: number): string => `${new Date(ms).toISOString().slice(0, -1)}000Z`;

export function auditEvent({ request, asked, trail, stage, code, nowMs }: AuditedRequest): object {
  const { auditId, user, impersonatedUser, annotations, receivedMs } = trail;
  const { remoteAddress } = request.socket;
  const userAgent = request.headers['user-agent']?.slice(0, 1024);
  const ref = objectRef(asked);
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    auditID: auditId,
    stage,
    requestURI: requestUri(asked),
    verb: attributesOf(asked).verb,
    user: user === undefined ? {} : userOf(user),
    ...(impersonatedUser && { impersonatedUser: userOf(impersonatedUser) }),
    ...(remoteAddress && { sourceIPs: [remoteAddress] }),
    ...(userAgent && { userAgent }),
    ...(ref && { objectRef: ref }),
    responseStatus: { metadata: {}, code },
    requestReceivedTimestamp: microTime(receivedMs),
    stageTimestamp: microTime(nowMs),
    ...(annotations.size > 0 && { annotations: Object.fromEntries(annotations) }),
  };
}
