// get and list of metrics.k8s.io: what the node measures, in the form the client asks for.
import { PodwrightError } from '../../base/errors.ts';
import type { NodeLookup } from '../../client/node-api.ts';
import type { KubeObject } from '../../client/resource-api.ts';
import { NODES, PODS } from '../../client/resources.ts';
import { notFoundError } from '../api-error.ts';
import { nodeMetrics, podMetrics, podMetricsKind } from '../kinds/metrics.ts';
import { matcher } from '../read.ts';
import type { ServerParts } from '../request.ts';
import { storageKey, storagePrefix } from '../storage-key.ts';
import { type Exchange, sendJson } from './exchange.ts';
import { listOptions } from './list-options.ts';
import type { ResourceRoute } from './parameters.ts';
import { negotiate, presenter } from './representation.ts';

type Answering = { readonly parts: ServerParts; readonly nodeApi: NodeLookup };

/** Of the nodes that answer here, side by side: each waits for its own window. */
async function measure({ parts, nodeApi }: Answering, route: ResourceRoute): Promise<readonly KubeObject[]> {
  const { values } = parts.store.list({ prefix: storagePrefix(NODES) });
  const nodes = values.flatMap(({ metadata }) => nodeApi(metadata?.name ?? '') ?? []);
  if (nodes.length === 0) throw new PodwrightError('ServiceUnavailable', 'no node is there to measure');
  const reports = await Promise.all(nodes.map((node) => node.usage()));
  if (route.kind !== podMetricsKind)
    return reports.flatMap((report) => nodeMetrics(report, (key) => parts.store.get(storageKey(NODES, key))));
  return reports
    .flatMap((report) => podMetrics(report, (key) => parts.store.get(storageKey(PODS, key))))
    .filter(({ metadata }) => route.namespace === undefined || metadata?.namespace === route.namespace);
}

export async function serveMetricsApi(
  exchange: Exchange,
  answering: Answering,
  route: ResourceRoute,
): Promise<void> {
  const { request, response, query } = exchange;
  const { kind, name } = route;
  const present = presenter(kind, negotiate(request, query));
  const sees = matcher(kind, listOptions(query, route));
  const nowMs = answering.parts.clock.nowMs();
  const found = (await measure(answering, route)).filter(sees);
  if (name === undefined) {
    const items = found.map((object) => JSON.stringify(present.item(object, nowMs)));
    response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-cache, private' });
    response.end(`${present.listHead({})}${items.join(',')}]}`);
    return;
  }
  const one = found.find(({ metadata }) => metadata?.name === name);
  if (one === undefined) throw notFoundError(kind, name);
  sendJson(response, 200, present.one(one, nowMs));
}
