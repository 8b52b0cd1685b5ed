// The verbs over HTTP: which handler a method and a route mean, and how its answer is written.
import { BOUNDS } from '../../base/bounds.ts';
import { PodwrightError } from '../../base/errors.ts';
import type { NodeApi } from '../../client/node-api.ts';
import type { DeleteOptions, KubeObject, ListOptions, PatchType } from '../../client/resource-api.ts';
import type { DeleteOptions as DeleteOptionsBody } from '../../kube/api-types.ts';
import { decode } from '../../kube/decode.ts';
import { invalidError, required, tooLong } from '../../kube/field-error.ts';
import { badRequest, qualifiedPlural } from '../api-error.ts';
import { APPLY_PATCH, applyObject } from '../apply.ts';
import { bindPod } from '../binding.ts';
import { createObject } from '../create.ts';
import { deleteObject } from '../delete.ts';
import { type Kind, partOf } from '../kind.ts';
import { getObject, listObjects } from '../read.ts';
import type { FieldValidation, ServerParts, WriteRequest } from '../request.ts';
import { patchObject, updateObject } from '../update.ts';
import { contentType, readJson, readObject, readYaml, unsupportedMediaType } from './body.ts';
import { addWarning, type Exchange, sendJson, write } from './exchange.ts';
import { serveLogs } from './logs.ts';
import { negotiate, presenter } from './representation.ts';
import type { Route } from './route.ts';
import { successStatus } from './status.ts';
import { serveTrace } from './trace.ts';
import { serveWatch } from './watch.ts';

export type ResourceRoute = Extract<Route, { type: 'resource' }>;
export type HandlerParts = { readonly parts: ServerParts; readonly nodeApi: () => NodeApi | undefined };

function methodNotAllowed(): PodwrightError {
  return new PodwrightError(
    'MethodNotAllowed',
    'the server does not allow this method on the requested resource',
  );
}

function isTrue(query: URLSearchParams, name: string): boolean {
  return ['true', '1'].includes(query.get(name) ?? '');
}

function isDryRun(query: URLSearchParams, fromBody: readonly string[] = []): boolean {
  const values = [...query.getAll('dryRun'), ...fromBody];
  if (values.some((value) => value !== 'All')) {
    const value = JSON.stringify(values.find((one) => one !== 'All'));
    throw new PodwrightError('Invalid', `dryRun: Unsupported value: ${value}: supported values: "All"`);
  }
  return values.length > 0;
}

function listOptions(query: URLSearchParams, route: ResourceRoute): ListOptions {
  const text = (name: string): string | undefined => query.get(name) || undefined;
  const limit = text('limit');
  if (limit !== undefined && !/^\d{1,9}$/.test(limit))
    throw badRequest(`limit: invalid value ${JSON.stringify(limit)}`);
  return {
    namespace: route.namespace,
    labelSelector: text('labelSelector'),
    fieldSelector: text('fieldSelector'),
    resourceVersion: text('resourceVersion'),
    limit: limit === undefined ? undefined : Number(limit),
    continue: text('continue'),
  };
}

function fieldValidation(query: URLSearchParams): FieldValidation {
  const value = query.get('fieldValidation') ?? '';
  if (value === '') return 'Warn';
  if (value === 'Strict' || value === 'Warn' || value === 'Ignore') return value;
  throw new PodwrightError(
    'Invalid',
    `fieldValidation: Unsupported value: ${JSON.stringify(value)}: supported values: "Ignore", "Strict", "Warn"`,
  );
}

/** As kube-apiserver: what the client says, else the program's name from its User-Agent. */
function fieldManager(request: Exchange['request'], query: URLSearchParams): string {
  const given = query.get('fieldManager') ?? '';
  if (given.length > 128) {
    const errors = [tooLong('fieldManager', 128)];
    throw invalidError({ group: 'meta.k8s.io', kind: 'UpdateOptions', name: '' }, errors);
  }
  return given || (request.headers['user-agent'] ?? '').split('/')[0]?.slice(0, 128) || 'unknown';
}

function writeRequest({ request, query, response }: Exchange, route: ResourceRoute): WriteRequest {
  return {
    kind: route.kind,
    namespace: route.namespace,
    name: route.name,
    part: partOf(route.kind, route.subresource) ?? 'main',
    dryRun: isDryRun(query),
    fieldValidation: fieldValidation(query),
    fieldManager: fieldManager(request, query),
    warn: (text) => addWarning(response, text),
  };
}

/** Written in pieces: however long the list, no turn of the event loop is. */
async function serveList(exchange: Exchange, parts: ServerParts, route: ResourceRoute): Promise<void> {
  const { request, query, response } = exchange;
  const present = presenter(route.kind, negotiate(request, query));
  const { items, ...meta } = listObjects(parts, route.kind, listOptions(query, route));
  const nowMs = parts.clock.nowMs();
  response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-cache, private' });
  let text = present.listHead(meta);
  for (let start = 0; start < items.length; start += BOUNDS.listChunkObjects) {
    const chunk = items.slice(start, start + BOUNDS.listChunkObjects);
    text += `${start === 0 ? '' : ','}${chunk.map((item) => JSON.stringify(present.item(item, nowMs))).join(',')}`;
    if (start + BOUNDS.listChunkObjects >= items.length) break;
    await write(exchange, text);
    await new Promise((resolve) => setImmediate(resolve));
    text = '';
  }
  response.end(`${text}]}`);
}

function sendObject(
  exchange: Exchange,
  parts: ServerParts,
  answer: { code: number; kind: Kind; object: KubeObject },
): void {
  const present = presenter(answer.kind, negotiate(exchange.request, exchange.query));
  sendJson(exchange.response, answer.code, present.one(answer.object, parts.clock.nowMs()));
}

const PATCH_TYPES: readonly string[] = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  APPLY_PATCH,
] satisfies PatchType[];

function isPatchType(type: string): type is PatchType {
  return PATCH_TYPES.includes(type);
}

async function readDeleteOptions(exchange: Exchange): Promise<DeleteOptions & { readonly dryRun: boolean }> {
  const { request, query } = exchange;
  const body = await readObject(request);
  const decoded = decode<DeleteOptionsBody>('DeleteOptions', body ?? {});
  if (!decoded.ok) throw badRequest(`DeleteOptions in version "v1" cannot be handled: ${decoded.message}`);
  const { gracePeriodSeconds, preconditions, dryRun } = decoded.object;
  const fromQuery = query.get('gracePeriodSeconds');
  if (fromQuery !== null && !/^-?\d{1,15}$/.test(fromQuery))
    throw badRequest('gracePeriodSeconds: not a number');
  return {
    gracePeriodSeconds: gracePeriodSeconds ?? (fromQuery === null ? undefined : Number(fromQuery)),
    preconditions,
    dryRun: isDryRun(query, dryRun),
  };
}

async function serveDelete(exchange: Exchange, parts: ServerParts, route: ResourceRoute): Promise<void> {
  const { kind, namespace, name = '' } = route;
  const { dryRun, ...options } = await readDeleteOptions(exchange);
  const object = await deleteObject(parts, { kind, namespace, name, dryRun, options });
  const isThere = object.metadata?.deletionTimestamp !== undefined;
  // What is gone is answered by a Status; what is still ending, and every pod, by the object.
  if (isThere || kind.kind === 'Pod') sendObject(exchange, parts, { code: 200, kind, object });
  else {
    const uid = object.metadata?.uid;
    sendJson(exchange.response, 200, successStatus(200, { name, kind: kind.plural, ...(uid && { uid }) }));
  }
}

async function serveDeleteCollection(
  exchange: Exchange,
  parts: ServerParts,
  route: ResourceRoute,
): Promise<void> {
  const { kind } = route;
  const { dryRun, ...options } = await readDeleteOptions(exchange);
  const { items } = listObjects(parts, kind, listOptions(exchange.query, route));
  await Promise.all(
    items.map(async ({ metadata }) => {
      const { namespace, name = '' } = metadata ?? {};
      try {
        await deleteObject(parts, { kind, namespace, name, dryRun, options });
      } catch (error) {
        // Somebody else was quicker: the wish is fulfilled.
        if (!(error instanceof PodwrightError && error.code === 'NotFound')) throw error;
      }
    }),
  );
  sendJson(exchange.response, 200, successStatus(200));
}

async function serveApply(exchange: Exchange, parts: ServerParts, request: WriteRequest): Promise<void> {
  const { kind } = request;
  if (!exchange.query.get('fieldManager')) {
    const errors = [required('fieldManager', 'is required for apply patch')];
    throw invalidError({ group: 'meta.k8s.io', kind: 'PatchOptions', name: '' }, errors);
  }
  const body = await readYaml(exchange.request);
  const force = isTrue(exchange.query, 'force');
  const { object, isNew } = await applyObject(parts, request, { body, force });
  sendObject(exchange, parts, { code: isNew ? 201 : 200, kind, object });
}

async function servePatch(exchange: Exchange, parts: ServerParts, route: ResourceRoute): Promise<void> {
  const type = contentType(exchange.request);
  if (!isPatchType(type)) throw unsupportedMediaType(type, PATCH_TYPES);
  const request = writeRequest(exchange, route);
  if (type === APPLY_PATCH) return serveApply(exchange, parts, request);
  const object = await patchObject(parts, request, { type, body: await readJson(exchange.request) });
  sendObject(exchange, parts, { code: 200, kind: route.kind, object });
}

async function serveBinding(
  exchange: Exchange,
  parts: ServerParts,
  key: { namespace: string; name?: string | undefined },
): Promise<void> {
  if (exchange.request.method !== 'POST') throw methodNotAllowed();
  await bindPod(parts, { ...key, dryRun: isDryRun(exchange.query) }, await readObject(exchange.request));
  sendJson(exchange.response, 201, successStatus(201));
}

export function serveBindings(exchange: Exchange, parts: ServerParts, namespace: string): Promise<void> {
  return serveBinding(exchange, parts, { namespace });
}

async function serveCollection(exchange: Exchange, parts: ServerParts, route: ResourceRoute): Promise<void> {
  const { request, query } = exchange;
  const { kind } = route;
  switch (request.method) {
    case 'GET':
      if (!isTrue(query, 'watch')) return serveList(exchange, parts, route);
      return serveWatch(exchange, {
        parts,
        kind,
        options: { ...listOptions(query, route), signal: exchange.signal },
      });
    case 'POST': {
      if (kind.namespaced && route.namespace === undefined) throw methodNotAllowed();
      const object = await createObject(parts, writeRequest(exchange, route), await readObject(request));
      return sendObject(exchange, parts, { code: 201, kind, object });
    }
    case 'DELETE':
      return serveDeleteCollection(exchange, parts, route);
    default:
      throw methodNotAllowed();
  }
}

async function serveItem(
  exchange: Exchange,
  parts: ServerParts,
  route: ResourceRoute & { readonly name: string },
): Promise<void> {
  const { request } = exchange;
  const { kind, namespace, name } = route;
  switch (request.method) {
    case 'GET':
      return sendObject(exchange, parts, {
        code: 200,
        kind,
        object: getObject(parts, kind, { namespace, name }),
      });
    case 'PUT': {
      const object = await updateObject(parts, writeRequest(exchange, route), await readObject(request));
      return sendObject(exchange, parts, { code: 200, kind, object });
    }
    case 'PATCH':
      return servePatch(exchange, parts, route);
    case 'DELETE':
      if (route.subresource !== undefined) throw methodNotAllowed();
      return serveDelete(exchange, parts, route);
    default:
      throw methodNotAllowed();
  }
}

export async function serveResource(
  exchange: Exchange,
  { parts, nodeApi }: HandlerParts,
  route: ResourceRoute,
): Promise<void> {
  const { kind, name, namespace, subresource } = route;
  if (name === undefined) return serveCollection(exchange, parts, route);
  if (subresource === undefined) return serveItem(exchange, parts, { ...route, name });
  if (subresource === 'trace' && kind.plural === 'pods')
    return serveTrace(exchange, getObject(parts, kind, { namespace, name }).metadata?.uid ?? '');
  const known = kind.subresources.find((one) => one === subresource);
  switch (known) {
    case 'status':
    case 'ephemeralcontainers':
    case 'resize':
      return serveItem(exchange, parts, { ...route, name });
    case 'binding':
      return serveBinding(exchange, parts, { namespace: namespace ?? '', name });
    case 'log':
      getObject(parts, kind, { namespace, name });
      return serveLogs(exchange, nodeApi(), { namespace: namespace ?? '', pod: name });
    case 'exec':
    case 'attach':
    case 'portforward':
      throw badRequest(`unable to upgrade: ${subresource} needs a WebSocket or SPDY/3.1`);
    case undefined: {
      const text = `the server could not find the requested resource (${qualifiedPlural(kind)} have no subresource ${subresource})`;
      throw new PodwrightError('NotFound', text);
    }
  }
}
