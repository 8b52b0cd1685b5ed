// POST of pods/<name>/eviction.
import { evictPod } from '../eviction.ts';
import type { ServerParts } from '../request.ts';
import { readObject } from './body.ts';
import { type Exchange, sendJson } from './exchange.ts';
import { methodNotAllowed, type ResourceRoute, writeRequest } from './parameters.ts';
import { successStatus } from './status.ts';

export async function serveEviction(
  exchange: Exchange,
  parts: ServerParts,
  route: ResourceRoute,
): Promise<void> {
  if (exchange.request.method !== 'POST') throw methodNotAllowed();
  await evictPod(parts, writeRequest(exchange, route), await readObject(exchange.request));
  sendJson(exchange.response, 201, successStatus(201));
}
