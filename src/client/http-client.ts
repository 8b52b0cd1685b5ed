// ResourceApi and ContainerApi over HTTPS: how the command line, tests and a remote agent talk to the API. Small on purpose and
// quick to load; the WebSocket library is loaded by the first exec.

import type { IncomingMessage } from 'node:http';
import { Agent, type RequestOptions, request } from 'node:https';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { errorOfStatus, PodwrightError } from '../base/errors.ts';
import { errnoOf } from '../base/files.ts';
import type { Span } from '../base/spans.ts';
import type { Status } from '../kube/api-types.ts';
import type { ClientConfig } from './kubeconfig.ts';
import type { AttachRequest, ContainerApi, ExecSession, LogOptions } from './node-api.ts';
import type {
  KubeObject,
  ListOptions,
  ObjectKey,
  ObjectList,
  ResourceApi,
  ResourceRef,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from './resource-api.ts';
import { PODS } from './resources.ts';

export { type ClientConfig, readKubeconfig } from './kubeconfig.ts';

type Query = { readonly [name: string]: string | number | boolean | undefined };

type Call = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Query | undefined;
  readonly body?: unknown;
  readonly contentType?: string | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** "/api/v1/namespaces/default/pods/web/status" */
export function resourcePath(ref: ResourceRef, key: Partial<ObjectKey>, subresource?: string): string {
  const root = ref.group === '' ? `/api/${ref.version}` : `/apis/${ref.group}/${ref.version}`;
  const scope = ref.namespaced && key.namespace !== undefined ? ['namespaces', key.namespace] : [];
  const rest = [key.name, subresource].filter((part) => part !== undefined);
  return [root, ...[...scope, ref.plural, ...rest].map(encodeURIComponent)].join('/');
}

function queryText(query: Query = {}): string {
  const present = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
  return present.length === 0
    ? ''
    : `?${new URLSearchParams(present.map(([name, value]) => [name, String(value)]))}`;
}

class HttpConnection {
  readonly #config: ClientConfig;
  readonly #agent: Agent;

  constructor(config: ClientConfig) {
    this.#config = config;
    const { ca, cert, key } = config;
    this.#agent = new Agent({ keepAlive: true, ca, cert, key });
  }

  get headers(): Record<string, string> {
    return this.#config.token === undefined ? {} : { authorization: `Bearer ${this.#config.token}` };
  }

  /** The answer's head; its body is still to be read. Any status but 2xx is thrown as the API's reason. */
  async open(call: Call): Promise<IncomingMessage> {
    const response = await this.#send(call);
    const code = response.statusCode ?? 0;
    if (code >= 200 && code < 300) return response;
    throw errorOfResponse(call, code, await text(response));
  }

  async json<T>(call: Call): Promise<T> {
    return JSON.parse(await text(await this.open(call))) as T;
  }

  #send(call: Call): Promise<IncomingMessage> {
    const url = new URL(call.path + queryText(call.query), this.#config.server);
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    const headers: Record<string, string> = { ...this.headers, accept: 'application/json' };
    if (body !== undefined) {
      headers['content-type'] = call.contentType ?? 'application/json';
      // Node sends the body of a DELETE without its length otherwise, which no server can read.
      headers['content-length'] = String(Buffer.byteLength(body));
    }
    const options: RequestOptions = { method: call.method, agent: this.#agent, headers, signal: call.signal };
    return new Promise((resolve, reject) => {
      const outgoing = request(url, options, resolve);
      outgoing.on('error', (error) => reject(this.#explained(error)));
      outgoing.end(body);
    });
  }

  #explained(error: Error): Error {
    const unreachable = ['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ETIMEDOUT', 'ECONNRESET'];
    if (!unreachable.includes(errnoOf(error) ?? '')) return error;
    return new PodwrightError('EngineUnreachable', `no engine answers at ${this.#config.server}`, {
      cause: error,
    });
  }

  /** URL and options for a WebSocket to the same place. */
  webSocket(path: string, query: URLSearchParams): { readonly url: string; readonly options: object } {
    // By the agent: it takes over a connection that is idle, or takes up an earlier one's TLS session.
    return {
      url: `${this.#config.server.replace(/^http/, 'ws')}${path}?${query}`,
      options: { agent: this.#agent, headers: this.headers, perMessageDeflate: false },
    };
  }
}

function errorOfResponse(call: Call, code: number, body: string): PodwrightError {
  try {
    const status = JSON.parse(body) as Status;
    if (status.kind === 'Status') return errorOfStatus(status);
  } catch {
    // Not JSON: said below.
  }
  return new PodwrightError(
    'InternalError',
    `${call.method} ${call.path}: HTTP ${code}: ${body.slice(0, 200)}`,
  );
}

export type ApiConnection = {
  readonly api: ResourceApi;
  readonly node: ContainerApi;
  /** What the engine did for a pod; its own, not Kubernetes'. */
  trace(pod: ObjectKey): Promise<readonly Span[]>;
};

export function connectApi(config: ClientConfig): ApiConnection {
  const connection = new HttpConnection(config);
  return {
    api: resourceApi(connection),
    node: nodeApi(connection),
    trace: async (pod) => {
      type Trace = { readonly spans: readonly Span[] };
      return (await connection.json<Trace>({ method: 'GET', path: resourcePath(PODS, pod, 'trace') })).spans;
    },
  };
}

const listQuery = ({ namespace: _, ...rest }: ListOptions): Query => rest;
const writeQuery = ({ dryRun, fieldManager, fieldValidation, force }: WriteOptions = {}): Query => ({
  force,
  dryRun: dryRun === true ? 'All' : undefined,
  fieldManager,
  fieldValidation,
});
const keyOf = ({ metadata }: KubeObject): ObjectKey => ({
  namespace: metadata?.namespace,
  name: metadata?.name ?? '',
});

function resourceApi(connection: HttpConnection): ResourceApi {
  return {
    get: (ref, key) => connection.json({ method: 'GET', path: resourcePath(ref, key) }),
    async list<T extends KubeObject>(ref: ResourceRef<T>, options: ListOptions = {}): Promise<ObjectList<T>> {
      const path = resourcePath(ref, { namespace: options.namespace });
      type List = {
        readonly items: readonly T[];
        readonly metadata: { resourceVersion: string; continue?: string };
      };
      const { items, metadata } = await connection.json<List>({
        method: 'GET',
        path,
        query: listQuery(options),
      });
      return { items, resourceVersion: metadata.resourceVersion, continue: metadata.continue };
    },
    create(ref, object, options) {
      const { namespace, name } = keyOf(object);
      // Only a subresource (binding) is created below a name.
      const key = options?.subresource === undefined ? { namespace } : { namespace, name };
      // A Binding belongs to pods/<name>/binding: its own plural is no path.
      const owner = options?.subresource === 'binding' ? { ...ref, plural: 'pods' } : ref;
      const path = resourcePath(owner, key, options?.subresource);
      return connection.json({ method: 'POST', path, query: writeQuery(options), body: object });
    },
    update(ref, object, options) {
      const path = resourcePath(ref, keyOf(object), options?.subresource);
      return connection.json({ method: 'PUT', path, query: writeQuery(options), body: object });
    },
    patch(ref, key, patch, options) {
      const path = resourcePath(ref, key, options?.subresource);
      const { type: contentType, body } = patch;
      return connection.json({ method: 'PATCH', path, query: writeQuery(options), body, contentType });
    },
    delete(ref, key, options = {}) {
      const body = { apiVersion: 'v1', kind: 'DeleteOptions', ...options };
      return connection.json({ method: 'DELETE', path: resourcePath(ref, key), body });
    },
    watch: (ref, options) => watch(connection, ref, options),
  };
}

type WireEvent<T> = { readonly type: WatchEvent<T>['type'] | 'ERROR'; readonly object: T };

async function* watch<T extends KubeObject>(
  connection: HttpConnection,
  ref: ResourceRef<T>,
  { signal, ...options }: WatchOptions,
): AsyncGenerator<WatchEvent<T>> {
  const path = resourcePath(ref, { namespace: options.namespace });
  const query = { ...listQuery(options), watch: true, allowWatchBookmarks: true };
  let response: IncomingMessage | undefined;
  try {
    response = await connection.open({ method: 'GET', path, query, signal });
    for await (const line of createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY })) {
      if (line === '') continue;
      const event = JSON.parse(line) as WireEvent<T>;
      if (event.type === 'ERROR') throw errorOfStatus(event.object as Status);
      if (event.type === 'BOOKMARK') {
        yield { type: 'BOOKMARK', resourceVersion: event.object.metadata?.resourceVersion ?? '' };
      } else yield { type: event.type, object: event.object };
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    // Whoever stops listening early must not keep the connection, and with it the process, open.
    response?.destroy();
  }
}

function logQuery({ follow, previous, timestamps, tailLines, sinceMs, limitBytes }: LogOptions): Query {
  return {
    follow: follow || undefined,
    previous: previous || undefined,
    timestamps: timestamps || undefined,
    tailLines,
    sinceTime: sinceMs === undefined ? undefined : new Date(sinceMs).toISOString(),
    limitBytes,
  };
}

function nodeApi(connection: HttpConnection): ContainerApi {
  const podPath = (namespace: string, pod: string, subresource: string): string =>
    `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/${subresource}`;
  const stream = async (
    subresource: 'exec' | 'attach',
    attach: AttachRequest,
    query: URLSearchParams,
  ): Promise<ExecSession> => {
    const { execOverWebSocket } = await import('./exec-client.ts');
    const { namespace, pod, container, tty, stdin, stderr } = attach;
    if (container !== undefined) query.set('container', container);
    const wanted = { stdin: stdin !== undefined, stdout: true, stderr: stderr !== undefined && !tty, tty };
    for (const [name, value] of Object.entries(wanted)) if (value) query.set(name, 'true');
    return execOverWebSocket(connection.webSocket(podPath(namespace, pod, subresource), query), attach);
  };
  return {
    logs: ({ namespace, pod, container }, options, signal) =>
      connection.open({
        method: 'GET',
        path: podPath(namespace, pod, 'log'),
        query: { container, ...logQuery(options) },
        signal,
      }),
    exec: (exec) => stream('exec', exec, new URLSearchParams(exec.command.map((word) => ['command', word]))),
    attach: (attach) => stream('attach', attach, new URLSearchParams()),
  };
}
