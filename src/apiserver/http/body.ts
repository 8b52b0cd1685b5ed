// Request bodies: bounded, JSON or YAML, nothing else. Clients that prefer protobuf fall back on 415.
import type { IncomingMessage } from 'node:http';
import { BOUNDS } from '../../base/bounds.ts';
import { PodwrightError } from '../../base/errors.ts';
import { badRequest } from '../api-error.ts';

export function contentType(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}

export function unsupportedMediaType(type: string, accepted: readonly string[]): PodwrightError {
  const text = `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`;
  return new PodwrightError('UnsupportedMediaType', type === '' ? text : `${text} (not ${type})`);
}

/** @throws RequestEntityTooLarge */
async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BOUNDS.requestBodyBytes) {
      const limit = BOUNDS.requestBodyBytes;
      throw new PodwrightError('RequestEntityTooLarge', `Request entity too large: limit is ${limit}`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function parseYaml(text: string): Promise<unknown> {
  const { parse } = await import('yaml');
  // Aliases are bounded: a few lines of YAML must not become gigabytes.
  return parse(text, { maxAliasCount: 100, schema: 'core' });
}

/** What the body says; undefined when it is empty. @throws BadRequest, RequestEntityTooLarge */
export async function readBody(request: IncomingMessage): Promise<unknown> {
  const text = await readText(request);
  if (text.trim() === '') return undefined;
  try {
    return contentType(request).endsWith('yaml') ? await parseYaml(text) : (JSON.parse(text) as unknown);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw badRequest(`the object provided is unrecognized (it does not parse): ${why}`);
  }
}

const OBJECT_TYPES = ['application/json', 'application/yaml', 'application/x-yaml'];

/** @throws UnsupportedMediaType */
export function checkObjectType(request: IncomingMessage): void {
  const type = contentType(request);
  if (type === '' || OBJECT_TYPES.includes(type)) return;
  throw unsupportedMediaType(type, OBJECT_TYPES.slice(0, 2));
}
