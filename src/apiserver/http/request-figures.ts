// What is counted of requests, under kube-apiserver's names. A request counts when its answer has ended.
import type { IncomingMessage } from 'node:http';
import { figures, type Sample } from '../../base/figures.ts';
import type { Exchange } from './exchange.ts';
import { isTrue } from './parameters.ts';
import type { Route } from './route.ts';

const RESOURCE_LABELS = [
  'verb',
  'group',
  'version',
  'resource',
  'subresource',
  'scope',
  'component',
] as const;
type Labels = { readonly [label in (typeof RESOURCE_LABELS)[number]]: string };

const requests = figures.counter({
  name: 'apiserver_request_total',
  help: 'Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, component, and HTTP response code.',
  labels: [...RESOURCE_LABELS, 'dry_run', 'code'],
});
const durations = figures.histogram({
  name: 'apiserver_request_duration_seconds',
  help: 'Response latency distribution in seconds for each verb, dry run value, group, version, resource, subresource, scope and component.',
  labels: [...RESOURCE_LABELS, 'dry_run'],
  buckets: [
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
  ],
});

/** Requests that last as long as their client wants, by their labels. */
const longRunning = new Map<string, { readonly labels: Labels; count: number }>();
figures.gauge(
  {
    name: 'apiserver_longrunning_requests',
    help: 'Gauge of all active long-running apiserver requests broken out by verb, group, version, resource, scope and component.',
  },
  () => [...longRunning.values()].map(({ labels, count }): Sample => ({ labels, value: count })),
);

const STREAMS: readonly string[] = ['exec', 'attach', 'portforward', 'proxy'];

/** kube-apiserver's verb: LIST and WATCH are GETs of a collection, APPLY is a PATCH of its own, streams CONNECT. */
function verbOf(
  { method = '', headers }: IncomingMessage,
  query: URLSearchParams,
  route: Extract<Route, { type: 'resource' }>,
): string {
  const { name, subresource = '' } = route;
  if (STREAMS.includes(subresource)) return 'CONNECT';
  if (method === 'GET' && name === undefined) return isTrue(query, 'watch') ? 'WATCH' : 'LIST';
  if (method === 'DELETE' && name === undefined) return 'DELETECOLLECTION';
  if (method === 'PATCH' && headers['content-type']?.startsWith('application/apply-patch') === true)
    return 'APPLY';
  return method;
}

type Request = Pick<Exchange, 'request' | 'query' | 'path'>;

function labelsOf({ request, query, path }: Request, route: Route): Labels {
  const none = {
    verb: request.method ?? '',
    group: '',
    version: '',
    resource: '',
    subresource: '',
    scope: '',
    component: 'apiserver',
  };
  const { method = '' } = request;
  if (route.type === 'other') return { ...none, subresource: OWN_PATHS.includes(path) ? path : '' };
  if (route.type === 'bindings') return { ...none, version: 'v1', resource: 'bindings', scope: 'resource' };
  const { kind, namespace, name, subresource = '' } = route;
  const scope =
    name !== undefined || method === 'POST' ? 'resource' : namespace === undefined ? 'cluster' : 'namespace';
  const { group, version, plural } = kind;
  return {
    ...none,
    verb: verbOf(request, query, route),
    group,
    version,
    resource: plural,
    subresource,
    scope,
  };
}

/** Paths that are told apart; all others are one, or whoever guesses at paths would fill the memory. */
const OWN_PATHS: readonly string[] = [
  '/livez',
  '/readyz',
  '/healthz',
  '/metrics',
  '/version',
  '/api',
  '/apis',
];

function isLongRunning(query: URLSearchParams, { verb, subresource }: Labels): boolean {
  return verb === 'WATCH' || verb === 'CONNECT' || (subresource === 'log' && isTrue(query, 'follow'));
}

export type CountedRequest = {
  /** It lasts as long as its client wants. */
  readonly isLongRunning: boolean;
  /** Called once, at its end, with its status code. */
  readonly end: (code: number) => void;
};

/** Call at the request's start. */
export function countRequest(request: Request, route: Route): CountedRequest {
  const labels = labelsOf(request, route);
  const startMs = performance.now();
  const key = isLongRunning(request.query, labels) ? Object.values(labels).join(' ') : undefined;
  if (key !== undefined) {
    const entry = longRunning.get(key) ?? { labels, count: 0 };
    longRunning.set(key, entry);
    entry.count += 1;
  }
  const end = (code: number): void => {
    const entry = key === undefined ? undefined : longRunning.get(key);
    if (entry !== undefined) entry.count -= 1;
    const dry_run = request.query.get('dryRun') === 'All' ? 'All' : '';
    requests({ ...labels, dry_run, code: String(code) });
    durations({ ...labels, dry_run }, (performance.now() - startMs) / 1000);
  };
  return { isLongRunning: key !== undefined, end };
}
