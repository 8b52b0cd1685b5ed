// The verbs over HTTP: which handler a method and a route mean, and how its answer is written.
import { BOUNDS } from '../../base/bounds.ts';
import { PodwrightError } from '../../base/errors.ts';
import type { NodeLookup } from '../../client/node-api.ts';
import { invalidError, required } from '../../kube/field-error.ts';
import { createToken, type TokenAccount } from '../access/service-account-tokens.ts';
import { badRequest, qualifiedPlural } from '../api-error.ts';
import { APPLY_PATCH, applyObject } from '../apply.ts';
import { bindPod } from '../binding.ts';
import { createObject } from '../create.ts';
import { deleteObject } from '../delete.ts';
import type { Kind } from '../kind.ts';
import { METRICS_KINDS } from '../kinds/metrics.ts';
import { getObject, type List, listObjects } from '../read.ts';
import type { ServerParts, WriteRequest } from '../request.ts';
import { patchObject, updateObject } from '../update.ts';
import { verbOf } from './access.ts';
import { contentType, readJson, readObject, readYaml, unsupportedMediaType } from './body.ts';
import { serveEviction } from './eviction.ts';
import { type Exchange, sendJson, write } from './exchange.ts';
import { listOptions } from './list-options.ts';
import { serveLogs } from './logs.ts';
import { serveMetricsApi } from './metrics-api.ts';
import { serveNodeProxy } from './node-proxy.ts';
import {
  isDryRun,
  isPatchType,
  isTrue,
  methodNotAllowed,
  PATCH_TYPES,
  type ResourceRoute,
  readDeleteOptions,
  readWritten,
  writeRequest,
} from './parameters.ts';
import { nodeOf } from './pod-node.ts';
import { podProxy, servePodProxy } from './pod-proxy.ts';
import { negotiate, presenter, sendObject } from './representation.ts';
import { serveScale } from './scale.ts';
import { successStatus } from './status.ts';
import { serveTrace } from './trace.ts';
import { serveWatch } from './watch.ts';

export type HandlerParts = { readonly parts: ServerParts; readonly nodeApi: NodeLookup };

async function serveList(exchange: Exchange, parts: ServerParts, route: ResourceRoute): Promise<void> {
  const list = listObjects(parts, route.kind, listOptions(exchange.query, route));
  await sendList(exchange, { parts, kind: route.kind, list });
}
/** Written in pieces: however long the list, no turn of the event loop is. */
async function sendList(
  exchange: Exchange,
  answer: { readonly parts: ServerParts; readonly kind: Kind; readonly list: List },
): Promise<void> {
  const { request, query, response } = exchange;
  const { parts, kind, list } = answer;
  const { items, ...meta } = list;
  const present = presenter(kind, negotiate(request, query));
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

/** Deletes what the selectors find, and answers with it. */
async function serveDeleteCollection(
  exchange: Exchange,
  parts: ServerParts,
  route: ResourceRoute,
): Promise<void> {
  const { kind } = route;
  const { dryRun, ...options } = await readDeleteOptions(exchange);
  const { items, ...meta } = listObjects(parts, kind, listOptions(exchange.query, route));
  const deleted = await Promise.all(
    items.map(async ({ metadata }) => {
      const { namespace, name = '' } = metadata ?? {};
      try {
        return [await deleteObject(parts, { kind, namespace, name, dryRun, options })];
      } catch (error) {
        // Somebody else was quicker: the wish is fulfilled.
        if (error instanceof PodwrightError && error.code === 'NotFound') return [];
        throw error;
      }
    }),
  );
  await sendList(exchange, { parts, kind, list: { ...meta, items: deleted.flat() } });
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
  const object = await patchObject(parts, request, {
    type,
    body: await readWritten(exchange, request, readJson),
  });
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

async function serveToken(exchange: Exchange, parts: ServerParts, account: TokenAccount): Promise<void> {
  if (exchange.request.method !== 'POST') throw methodNotAllowed();
  sendJson(exchange.response, 201, await createToken(parts, account, await readObject(exchange.request)));
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
      const write = writeRequest(exchange, route);
      const object = await createObject(parts, write, await readWritten(exchange, write));
      return sendObject(exchange, parts, { code: 201, kind, object });
    }
    case 'DELETE':
      if (kind.deletesCollection === false) throw methodNotAllowed();
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
      const write = writeRequest(exchange, route);
      const { object, isNew } = await updateObject(parts, write, await readWritten(exchange, write));
      return sendObject(exchange, parts, { code: isNew ? 201 : 200, kind, object });
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

/** A kind that names its verbs has no others. */
function isAllowed({ request, query }: Exchange, { kind, name }: ResourceRoute): boolean {
  const verbs: readonly string[] | undefined = kind.verbs;
  return verbs === undefined || verbs.includes(verbOf(request.method ?? 'GET', query, name === undefined));
}

export async function serveResource(
  exchange: Exchange,
  { parts, nodeApi }: HandlerParts,
  route: ResourceRoute,
): Promise<void> {
  const { kind, name, namespace, subresource } = route;
  if (!isAllowed(exchange, route)) throw methodNotAllowed();
  if (METRICS_KINDS.includes(kind)) return serveMetricsApi(exchange, { parts, nodeApi }, route);
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
    case 'finalize':
      if (exchange.request.method !== 'PUT') throw methodNotAllowed();
      return serveItem(exchange, parts, { ...route, name });
    case 'scale':
      return serveScale(exchange, parts, route);
    case 'eviction':
      return serveEviction(exchange, parts, route);
    case 'token':
      return serveToken(exchange, parts, { namespace: namespace ?? '', name });
    case 'binding':
      return serveBinding(exchange, parts, { namespace: namespace ?? '', name });
    case 'log':
      return serveLogs(exchange, nodeOf(getObject(parts, kind, { namespace, name }), nodeApi), {
        namespace: namespace ?? '',
        pod: name,
      });
    case 'proxy':
      if (kind.namespaced)
        return servePodProxy(exchange, podProxy(exchange.request, route, { parts, nodeApi }));
      getObject(parts, kind, { name });
      return serveNodeProxy(exchange, nodeApi(name), { name, path: route.rest ?? '' });
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
