// The API server: one table of kinds over the store, in-process as a ResourceApi and over HTTPS for everybody else.
// It holds no state of its own; it does not know whether an agent or a scheduler is there.
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { NodeLookup } from '../client/node-api.ts';
import type { KubeObject, ResourceApi } from '../client/resource-api.ts';
import { NODES } from '../client/resources.ts';
import type { Store } from '../store/store.ts';
import { scheduleEventExpiry } from './event-expiry.ts';
import { type Listening, type ListenOptions, listen } from './http/listen.ts';
import { KINDS } from './kinds.ts';
import { runNamespaceCleaner } from './namespace-cleaner.ts';
import { countObjects } from './object-figures.ts';
import type { HealthCheck, ServerParts } from './request.ts';
import { createResources } from './resources.ts';
import { storageKey, storagePrefix } from './storage-key.ts';
import { ensureDefaultServiceAccount, ensureSystemObjects } from './system-objects.ts';

export type ApiServerOptions = {
  readonly store: Store<KubeObject>;
  /** Who answers logs and exec of a node's pods. */
  readonly nodeApi: NodeLookup;
  readonly clock: Clock;
  readonly log: Log;
};

export type ApiServer = {
  /** In-process: the same decoding, defaults, admission and validation as over HTTP. */
  readonly resources: ResourceApi;
  /** Serves HTTPS and writes <dataDir>/kubeconfig (mode 0600). */
  listen(options: ListenOptions): Promise<Listening>;
  /** Ends what runs beside requests. The store stays open: it is its owner's. */
  close(): Promise<void>;
};

function whyNoNode(store: Store<KubeObject>, nodeApi: NodeLookup): string | undefined {
  const { values } = store.list({ prefix: storagePrefix(NODES) });
  const isThere = values.some(({ metadata }) => nodeApi(metadata?.name ?? '') !== undefined);
  return isThere ? undefined : 'no node is there';
}

/** Resolves once the system namespaces and their service accounts are there. */
export async function createApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { store, clock, log } = options;
  const parts: ServerParts = {
    store,
    clock,
    kinds: KINDS,
    admission: {
      clock,
      exists: (plural, key) => {
        const kind = KINDS.find((one) => one.plural === plural);
        return kind !== undefined && store.get(storageKey(kind, key)) !== undefined;
      },
    },
    onCreated: async (kind, { metadata }) => {
      if (kind.plural === 'namespaces') await ensureDefaultServiceAccount(resources, metadata?.name ?? '');
    },
  };
  const resources = createResources(parts);
  await ensureSystemObjects(resources);
  const checks: readonly HealthCheck[] = [
    { name: 'ping', of: 'livez', whyNot: () => undefined },
    { name: 'store', of: 'livez', whyNot: () => store.whyNotOpen() },
    { name: 'store-room', of: 'readyz', whyNot: () => store.whyNoRoom() },
    { name: 'node', of: 'readyz', whyNot: () => whyNoNode(store, options.nodeApi) },
  ];
  const uncount = countObjects(parts);
  const ended = new AbortController();
  const cleaner = runNamespaceCleaner(parts, log, ended.signal);
  scheduleEventExpiry(parts, log, ended.signal);
  return {
    resources,
    listen: (where) => listen({ parts, nodeApi: options.nodeApi, log, checks }, where),
    close: async () => {
      ended.abort();
      uncount();
      await cleaner;
    },
  };
}
