// GET ?watch=true: one JSON event a line until the timeout, the client's end, or an error, which is itself an event.
import { BOUNDS } from '../../base/bounds.ts';
import type { KubeObject, WatchEvent, WatchOptions } from '../../client/resource-api.ts';
import { badRequest } from '../api-error.ts';
import type { Kind } from '../kind.ts';
import { parseRevision, watchObjects } from '../read.ts';
import { groupVersion, type ServerParts } from '../request.ts';
import { beginAnswer, type Exchange, write } from './exchange.ts';
import { isTrue } from './parameters.ts';
import { negotiate, presenter } from './representation.ts';
import { failureStatus } from './status.ts';

/** Says that the state is complete and changes follow (KEP-3157). */
const INITIAL_EVENTS_END = { 'k8s.io/initial-events-end': 'true' };

function bookmark(kind: Kind, resourceVersion: string, annotations?: object): unknown {
  const metadata = { resourceVersion, creationTimestamp: null, ...(annotations && { annotations }) };
  return { kind: kind.kind, apiVersion: groupVersion(kind), metadata };
}

/**
 * Lines of whole objects, newest last. A change is the same line for everybody who watches, and they all come to it at about
 * the same time: it is written once.
 */
const lines = new Map<KubeObject, { readonly type: string; readonly line: Buffer }>();

function lineOf(type: string, object: KubeObject): Buffer {
  const known = lines.get(object);
  if (known?.type === type) return known.line;
  const line = Buffer.from(`${JSON.stringify({ type, object })}\n`);
  lines.set(object, { type, line });
  const [oldest] = lines.keys();
  if (lines.size > BOUNDS.watchLines && oldest !== undefined) lines.delete(oldest);
  return line;
}

function timeoutMs(query: URLSearchParams): number {
  const text = query.get('timeoutSeconds');
  if (text === null || text === '') return BOUNDS.watchTimeoutMs;
  const seconds = Number(text);
  if (!Number.isInteger(seconds) || seconds < 0)
    throw badRequest(`timeoutSeconds: invalid value ${JSON.stringify(text)}`);
  return seconds === 0 ? BOUNDS.watchTimeoutMs : Math.min(seconds * 1000, BOUNDS.watchTimeoutMs);
}

export async function serveWatch(
  exchange: Exchange,
  target: { readonly parts: ServerParts; readonly kind: Kind; readonly options: WatchOptions },
): Promise<void> {
  const { parts, kind, options } = target;
  const { response, query } = exchange;
  const representation = negotiate(exchange.request, query);
  const present = presenter(kind, representation);
  const wantsBookmarks = isTrue(query, 'allowWatchBookmarks');
  const wantsInitial = isTrue(query, 'sendInitialEvents');
  const endsMs = timeoutMs(query);
  if (options.resourceVersion) parseRevision(options.resourceVersion);
  const ended = new AbortController();
  const endTimer = setTimeout(() => ended.abort(), endsMs);
  const signal = AbortSignal.any([exchange.signal, ended.signal]);
  const line = (type: string, object: unknown): Promise<void> =>
    write(exchange, `${JSON.stringify({ type, object })}\n`);
  let isWriting = false;
  const send = async (event: WatchEvent<KubeObject>): Promise<void> => {
    isWriting = true;
    if (event.type === 'BOOKMARK') {
      if (wantsInitial) await line(event.type, bookmark(kind, event.resourceVersion, INITIAL_EVENTS_END));
    } else if (representation.as === 'object') await write(exchange, lineOf(event.type, event.object));
    else await line(event.type, present.one(event.object, parts.clock.nowMs()));
    isWriting = false;
  };
  // A timer's turn comes when everything that was published has been taken: while nothing is being written, the store's
  // revision is one the client has seen everything up to.
  const remind = (): void => {
    if (isWriting) return;
    const object = bookmark(kind, String(parts.store.revision));
    response.write(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`);
  };
  const reminder = wantsBookmarks ? setInterval(remind, BOUNDS.bookmarkMs) : undefined;
  try {
    const from = wantsInitial ? undefined : options.resourceVersion;
    const withoutInitial = query.get('sendInitialEvents') === 'false';
    const events = watchObjects(parts, kind, { ...options, resourceVersion: from, withoutInitial, signal });
    beginAnswer(exchange, 200, {
      'Content-Type': 'application/json',
      'Cache-Control': 'no-cache, private',
    });
    for await (const event of events) await send(event);
    response.end();
  } catch (error) {
    if (signal.aborted) response.end();
    else if (response.headersSent) {
      await line('ERROR', failureStatus(error));
      response.end();
    } else throw error;
  } finally {
    clearTimeout(endTimer);
    clearInterval(reminder);
  }
}
