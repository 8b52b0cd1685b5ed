// The API server: one table of kinds over the store, in-process as a ResourceApi and over HTTPS for everybody else.
// It holds no state of its own; it does not know whether an agent or a scheduler is there.
import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { NodeLookup } from '../client/node-api.ts';
import type { KubeObject, ResourceApi, ResourceRef } from '../client/resource-api.ts';
import { NODES } from '../client/resources.ts';
import type { Store } from '../store/store.ts';
import { storedRoles } from './access/authorizer.ts';
import { ensureSystemRoles } from './access/system-roles.ts';
import { createTokenSigner } from './access/token-signer.ts';
import { runDefinitionKeeper } from './custom/definition-keeper.ts';
import { createKindTable } from './custom/kind-table.ts';
import { scheduleEventExpiry } from './event-expiry.ts';
import { type Listening, type ListenOptions, listen } from './http/listen.ts';
import { ensureAuthority } from './http/pki.ts';
import { ownsObjects } from './kind.ts';
import { KINDS } from './kinds.ts';
import { ensureKubernetesService } from './kubernetes-service.ts';
import { runNamespaceCleaner } from './namespace-cleaner.ts';
import { createNodeLedger } from './node-ledger.ts';
import { countObjects } from './object-figures.ts';
import type { HealthCheck, ServerParts } from './request.ts';
import { createResources } from './resources.ts';
import { storageKey, storagePrefix } from './storage-key.ts';
import { ensureNamespaceObjects, ensureSystemObjects } from './system-objects.ts';
import { createTurns } from './turns.ts';

export type ApiServerOptions = {
  readonly store: Store<KubeObject>;
  /** Keys, certificates and the kubeconfig lie there. */
  readonly dataDir: string;
  /** Who answers logs and exec of a node's pods. */
  readonly nodeApi: NodeLookup;
  readonly clock: Clock;
  readonly log: Log;
};

export type ApiServer = {
  /** In-process: the same decoding, defaults, admission and validation as over HTTP. */
  readonly resources: ResourceApi;
  /** The certificate by which clients know this API, in PEM. */
  readonly ca: string;
  /** Every kind that has objects of its own, as it is now. */
  kinds(): readonly ResourceRef[];
  /** Serves HTTPS and writes <dataDir>/kubeconfig (mode 0600). */
  listen(options: Omit<ListenOptions, 'dataDir'>): Promise<Listening>;
  /** Ends what runs beside requests. The store stays open: it is its owner's. */
  close(): Promise<void>;
};

function whyNoNode(store: Store<KubeObject>, nodeApi: NodeLookup): string | undefined {
  const { values } = store.list({ prefix: storagePrefix(NODES) });
  const isThere = values.some(({ metadata }) => nodeApi(metadata?.name ?? '') !== undefined);
  return isThere ? undefined : 'no node is there';
}

/** Resolves once the system namespaces are there, with what every namespace has, and the default roles. */
export async function createApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { store, clock, log, dataDir } = options;
  const authority = await ensureAuthority(join(dataDir, 'pki'));
  const ca = authority.ca.certificate;
  const kinds = createKindTable(store, KINDS);
  const parts: ServerParts = {
    store,
    turns: createTurns(),
    clock,
    tokens: createTokenSigner(authority.serviceAccountKey),
    get kinds() {
      return kinds();
    },
    ledger: createNodeLedger(store),
    admission: {
      clock,
      roles: storedRoles(store),
      find: (plural, key) => {
        const kind = KINDS.find((one) => one.plural === plural);
        return kind === undefined ? undefined : store.get(storageKey(kind, key));
      },
      list: (plural, namespace) => {
        const kind = KINDS.find((one) => one.plural === plural);
        return kind === undefined ? [] : store.list({ prefix: storagePrefix(kind, namespace) }).values;
      },
    },
    onCreated: async (kind, { metadata }) => {
      if (kind.plural === 'namespaces') await ensureNamespaceObjects(resources, metadata?.name ?? '', ca);
    },
  };
  const resources = createResources(parts);
  await Promise.all([ensureSystemObjects(resources, ca), ensureSystemRoles(resources)]);
  const checks: readonly HealthCheck[] = [
    { name: 'ping', of: 'livez', whyNot: () => undefined },
    { name: 'store', of: 'livez', whyNot: () => store.whyNotOpen() },
    { name: 'store-room', of: 'readyz', whyNot: () => store.whyNoRoom() },
    { name: 'node', of: 'readyz', whyNot: () => whyNoNode(store, options.nodeApi) },
  ];
  const uncount = countObjects(parts);
  const ended = new AbortController();
  const cleaner = runNamespaceCleaner(parts, log, ended.signal);
  const keeper = runDefinitionKeeper(parts, log, ended.signal);
  scheduleEventExpiry(parts, log, ended.signal);
  return {
    resources,
    kinds: () => parts.kinds.filter((kind) => ownsObjects(kind) && kind.verbs === undefined),
    ca,
    listen: async (where) => {
      const { serviceAddress } = where;
      if (serviceAddress !== undefined) await ensureKubernetesService(resources, serviceAddress);
      return listen({ parts, nodeApi: options.nodeApi, log, checks, authority }, { ...where, dataDir });
    },
    close: async () => {
      ended.abort();
      uncount();
      await Promise.all([cleaner, keeper]);
    },
  };
}
