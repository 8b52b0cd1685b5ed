// One request and its answer: what every handler gets.
import { once } from 'node:events';
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { BOUNDS } from '../../base/bounds.ts';
import type { User } from '../access/user.ts';
import type { AuditedTrail } from './audit-event.ts';
import { failureStatus } from './status.ts';

export type Exchange = {
  /** Who asks, and may. */
  readonly user: User;
  /** What is known of the request, for the audit log. */
  readonly trail: AuditedTrail;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Aborts when the client has gone or the server is closing. */
  readonly signal: AbortSignal;
};

/** Texts become Warning headers (RFC 7234), once each. */
export function addWarning(response: ServerResponse, text: string): void {
  const quoted = text.replace(/[\\"]/g, '\\$&').replace(/[^\x20-\x7e]/g, '?');
  const header = `299 - "${quoted}"`;
  const present = response.getHeader('Warning');
  const warnings = Array.isArray(present) ? present : [];
  if (!warnings.includes(header)) response.setHeader('Warning', [...warnings, header]);
}

export function sendJson(response: ServerResponse, code: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(code, {
    'Content-Type': 'application/json',
    'Cache-Control': 'no-cache, private',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(`${text}`);
}

/** The head of an answer that goes on: the client has it at once, and the audit log that it began. */
export function beginAnswer(
  { response, trail }: Pick<Exchange, 'response' | 'trail'>,
  code: number,
  headers: OutgoingHttpHeaders,
): void {
  response.writeHead(code, headers);
  response.flushHeaders();
  trail.start(code);
}

export function sendText(response: ServerResponse, code: number, text: string): void {
  response.writeHead(code, { 'Content-Type': 'text/plain; charset=utf-8' });
  response.end(text);
}

/** An error after the head was sent can only end the answer. */
export function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const status = failureStatus(error);
  if (status.details?.retryAfterSeconds !== undefined) {
    response.setHeader('Retry-After', String(status.details.retryAfterSeconds));
  }
  sendJson(response, status.code, status);
}

/**
 * Waits until the client has taken what was written; a client that went away aborts it, and one that takes nothing for long
 * is sent away: a slow reader is cut, never waited for.
 */
export async function write({ response, signal }: Exchange, text: string | Buffer): Promise<void> {
  if (response.write(text)) return;
  const cut = setTimeout(() => response.destroy(), BOUNDS.clientStallMs);
  try {
    await once(response, 'drain', { signal });
  } finally {
    clearTimeout(cut);
  }
}
