// Request bodies: bounded; JSON, YAML, and protobuf for the few kinds that kubectl sends in no other form.
import type { IncomingMessage } from 'node:http';
import { BOUNDS } from '../../base/bounds.ts';
import { PodwrightError } from '../../base/errors.ts';
import { badRequest } from '../api-error.ts';
import { duplicateKeys } from './duplicate-keys.ts';

const PROTOBUF_TYPE = 'application/vnd.kubernetes.protobuf';

export function contentType(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}

export function unsupportedMediaType(type: string, accepted: readonly string[]): PodwrightError {
  const text = `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`;
  return new PodwrightError('UnsupportedMediaType', type === '' ? text : `${text} (not ${type})`);
}

/** @throws RequestEntityTooLarge */
async function readBytes(request: IncomingMessage): Promise<Buffer> {
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
  return Buffer.concat(chunks);
}

async function parseYaml(text: string): Promise<unknown> {
  const { parse } = await import('yaml');
  // Aliases are bounded: a few lines of YAML must not become gigabytes.
  return parse(text, { maxAliasCount: 100, schema: 'core' });
}

const OBJECT_TYPES = ['application/json', 'application/yaml', 'application/x-yaml'];

/** Told which fields a JSON body gives more than once. */
export type OnDuplicates = (fields: readonly string[]) => void;

export type BodyOptions = {
  readonly onDuplicates?: OnDuplicates | undefined;
  /** What the text was to be: "Pod". */
  readonly mustBe?: string | undefined;
};

async function parse(
  bytes: Buffer,
  type: string,
  { onDuplicates, mustBe }: BodyOptions = {},
): Promise<unknown> {
  const text = bytes.toString('utf8');
  const value = await parseText(text, type, mustBe);
  const fields = onDuplicates === undefined || type.endsWith('yaml') ? [] : duplicateKeys(text);
  if (fields.length > 0) onDuplicates?.(fields);
  return value;
}

async function parseText(text: string, type: string, mustBe: string | undefined): Promise<unknown> {
  try {
    return type.endsWith('yaml') ? await parseYaml(text) : (JSON.parse(text) as unknown);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const what = mustBe === undefined ? 'it does not parse' : `must be of type ${mustBe}`;
    const format = type.endsWith('yaml') ? 'yaml' : 'json';
    throw badRequest(`the object provided is unrecognized (${what}): ${format} parse error: ${why}`);
  }
}

/** A patch's body; undefined when it is empty. @throws BadRequest, RequestEntityTooLarge */
export async function readJson(request: IncomingMessage, options?: BodyOptions): Promise<unknown> {
  const bytes = await readBytes(request);
  return bytes.length === 0 ? undefined : parse(bytes, 'application/json', options);
}

/** An apply patch, which is YAML whatever it looks like. @throws BadRequest, RequestEntityTooLarge */
export async function readYaml(request: IncomingMessage): Promise<unknown> {
  return parse(await readBytes(request), 'application/yaml');
}

/** An object's body; undefined when it is empty. @throws BadRequest, RequestEntityTooLarge, UnsupportedMediaType */
export async function readObject(request: IncomingMessage, options?: BodyOptions): Promise<unknown> {
  const type = contentType(request);
  if (type === PROTOBUF_TYPE) {
    const bytes = await readBytes(request);
    if (bytes.length === 0) return undefined;
    const object = (await import('./protobuf.ts')).decodeProtobuf(bytes);
    if (object !== undefined) return object;
  }
  if (type !== '' && !OBJECT_TYPES.includes(type)) throw unsupportedMediaType(type, OBJECT_TYPES.slice(0, 2));
  const bytes = await readBytes(request);
  return bytes.length === 0 ? undefined : parse(bytes, type, options);
}
