// pods/<name>/log: the node's bytes, passed through.
import { pipeline } from 'node:stream/promises';
import { PodwrightError } from '../../base/errors.ts';
import type { LogOptions, NodeApi } from '../../client/node-api.ts';
import { badRequest } from '../api-error.ts';
import { beginAnswer, type Exchange } from './exchange.ts';
import { isTrue } from './parameters.ts';

function integer(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^\d{1,15}$/.test(text))
    throw badRequest(`${name}: invalid value ${JSON.stringify(text)}: must be a number of at least 0`);
  return Number(text);
}

function logOptions(query: URLSearchParams, nowMs: number): LogOptions {
  const isSet = (name: string): boolean => isTrue(query, name);
  const sinceSeconds = integer(query, 'sinceSeconds');
  const sinceTime = query.get('sinceTime');
  if (sinceSeconds !== undefined && sinceTime)
    throw badRequest('at most one of `sinceTime` or `sinceSeconds` may be specified');
  if (sinceTime && Number.isNaN(Date.parse(sinceTime)))
    throw badRequest(`sinceTime: ${JSON.stringify(sinceTime)} is no time`);
  return {
    follow: isSet('follow'),
    previous: isSet('previous'),
    timestamps: isSet('timestamps'),
    tailLines: integer(query, 'tailLines'),
    limitBytes: integer(query, 'limitBytes'),
    sinceMs: sinceTime
      ? Date.parse(sinceTime)
      : sinceSeconds === undefined
        ? undefined
        : nowMs - sinceSeconds * 1000,
  };
}

export async function serveLogs(
  exchange: Exchange,
  node: NodeApi,
  pod: { readonly namespace: string; readonly pod: string },
): Promise<void> {
  const { request, response, query, signal } = exchange;
  if (request.method !== 'GET') throw new PodwrightError('MethodNotAllowed', 'logs are read with GET');
  const target = { ...pod, container: query.get('container') || undefined };
  const logs = await node.logs(target, logOptions(query, Date.now()), signal);
  beginAnswer(exchange, 200, { 'Content-Type': 'text/plain' });
  try {
    await pipeline(logs, response, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
