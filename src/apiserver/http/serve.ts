// The way of one request: who asks and may, then the handler that its route means; whatever is thrown becomes a Status, and
// what came of it a line of the audit log. No request can end the server.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { errorText, isPodwrightError, PodwrightError } from '../../base/errors.ts';
import { FIGURES_TYPE, figures } from '../../base/figures.ts';
import type { Log } from '../../base/log.ts';
import { badRequest } from '../api-error.ts';
import type { AuditLog } from '../audit-log.ts';
import { METRICS_KINDS } from '../kinds/metrics.ts';
import type { HealthCheck } from '../request.ts';
import { type Asked, requireAccess, requireStreamAccess } from './access.ts';
import { type AuditedRequest, type AuditedTrail, auditEvent, newTrail } from './audit-event.ts';
import { discovery } from './discovery.ts';
import { type Exchange, sendError } from './exchange.ts';
import { healthQuestion, serveHealth } from './health.ts';
import type { OpenApi } from './openapi/openapi.ts';
import { openIdDocument } from './openid.ts';
import { refuseForeignPage } from './origin.ts';
import { countRequest } from './request-figures.ts';
import { type HandlerParts, serveBindings, serveResource } from './resource.ts';
import { parseRoute } from './route.ts';
import type { Seats } from './seats.ts';
import { failureStatus } from './status.ts';
import { refuseUpgrade, serveUpgrade } from './streams/upgrade.ts';

export type ServeContext = HandlerParts & {
  readonly log: Log;
  readonly adminToken: string;
  readonly audit: AuditLog | undefined;
  readonly openApi: OpenApi;
  readonly closing: AbortSignal;
  readonly checks: readonly HealthCheck[];
  readonly seats: Seats;
  readonly longRunning: Seats;
};

function parseUrl(request: IncomingMessage): URL {
  try {
    return new URL(request.url ?? '/', 'https://localhost');
  } catch {
    throw badRequest('the request URL does not parse');
  }
}

type Call = Omit<Exchange, 'user' | 'trail'>;

function callOf(request: IncomingMessage, response: ServerResponse, closing: AbortSignal): Call {
  const { pathname, searchParams } = parseUrl(request);
  // The server's own listeners and a pipeline's are more than the ten at which Node suspects a leak.
  response.setMaxListeners(20);
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const path = pathname.length > 1 && pathname.endsWith('/') ? pathname.slice(0, -1) : pathname;
  return { request, response, path, query: searchParams, signal: AbortSignal.any([gone.signal, closing]) };
}

function beginAudit(
  request: IncomingMessage,
  asked: Asked,
  { audit, parts: { clock } }: ServeContext,
): AuditedTrail {
  const trail = newTrail(clock.nowMs());
  const record = (stage: AuditedRequest['stage'], code: number): void =>
    audit?.record(auditEvent({ request, asked, trail, stage, code, nowMs: clock.nowMs() }));
  return Object.assign(trail, {
    start: (code: number) => record('ResponseStarted', code),
    end: (code: number) => record('ResponseComplete', code),
  });
}

async function serve(call: Call, context: ServeContext): Promise<void> {
  const { request, response, path, query } = call;
  const { method = 'GET' } = request;
  const served = [...context.parts.kinds, ...METRICS_KINDS];
  const route = parseRoute(path, served);
  const count = countRequest(call, route);
  response.once('close', () => count.end(response.statusCode));
  const asked = { method, path, query, route };
  const trail = beginAudit(request, asked, context);
  response.once('close', () => trail.end(response.statusCode));
  const user = await requireAccess(request, asked, { by: context, trail });
  const exchange: Exchange = { ...call, user, trail };
  const question = healthQuestion(path);
  if (question !== undefined && serveHealth(exchange, question, context.checks)) return;
  const seats = count.isLongRunning ? context.longRunning : context.seats;
  const leave = await seats.take(user.username, call.signal);
  if (response.closed) return leave();
  response.once('close', leave);
  if (path === '/metrics' && request.method === 'GET') {
    response.writeHead(200, { 'Content-Type': FIGURES_TYPE });
    response.end(await figures.text());
    return;
  }
  if (route.type === 'resource') return serveResource(exchange, context, route);
  if (route.type === 'bindings') return serveBindings(exchange, context.parts, route.namespace);
  if (request.method === 'GET') {
    const { tokens } = context.parts;
    const found = discovery(path, request.headers.accept ?? '', served) ?? openIdDocument(path, tokens);
    if (found !== undefined) {
      response.setHeader('Vary', 'Accept');
      response.writeHead(200, { 'Content-Type': found.contentType });
      response.end(JSON.stringify(found.body));
      return;
    }
    const openApi = await context.openApi.answer(path, request.headers.accept ?? '');
    if (openApi !== undefined) {
      response.writeHead(200, { 'Content-Type': openApi.contentType, Vary: 'Accept' });
      response.end(openApi.body);
      return;
    }
  }
  throw new PodwrightError('NotFound', 'the server could not find the requested resource');
}

/** Answers a request whatever happens. */
export async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  context: ServeContext,
): Promise<void> {
  let call: Call | undefined;
  try {
    call = callOf(request, response, context.closing);
    refuseForeignPage(request);
    await serve(call, context);
  } catch (error) {
    if (call?.signal.aborted === true) response.destroy();
    else {
      if (!isPodwrightError(error)) {
        const stack = error instanceof Error ? error.stack : undefined;
        context.log.error('request failed', {
          method: request.method,
          url: request.url,
          error: errorText(error),
          stack,
        });
      }
      // The rest of a body that was refused is not worth reading.
      if (!request.complete) response.setHeader('Connection', 'close');
      sendError(response, error);
    }
  }
}

/** The same for one that is to become a stream. */
export async function upgrade(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  context: ServeContext,
): Promise<void> {
  socket.on('error', () => socket.destroy());
  let trail: AuditedTrail | undefined;
  try {
    refuseForeignPage(request);
    const { pathname: path, searchParams: query } = parseUrl(request);
    const { method = 'GET' } = request;
    const route = parseRoute(path, context.parts.kinds);
    const asked = { method, path, query, route };
    trail = beginAudit(request, asked, context);
    const { username } = await requireStreamAccess(request, asked, { by: context, trail });
    const { closing } = context;
    const leave = await context.longRunning.take(username, closing);
    const count = countRequest({ request, query, path }, route);
    const end = (): void => {
      leave();
      count.end(101);
    };
    if (socket.destroyed) return end();
    socket.once('close', end);
    const code = await serveUpgrade({ request, socket, head, query, closing }, route, context);
    trail.start(code);
    if (socket.destroyed) trail.end(code);
    else socket.once('close', () => trail?.end(code));
  } catch (error) {
    trail?.end(failureStatus(error).code);
    refuseUpgrade(socket, error);
  }
}
