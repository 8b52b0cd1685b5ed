// Follows exactly the ConfigMaps and Secrets that pods here refer to: one watch per object, shared by its users, ended
// with the last of them (the kubelet's Watch strategy; it needs no right to list others' objects). A change wakes the
// pods that use the object.
import type { PodUid } from '../base/brand.ts';
import type { Log } from '../base/log.ts';
import { type InformerOptions, runInformer } from '../client/informer.ts';
import type { KubeObject, ResourceApi, ResourceRef } from '../client/resource-api.ts';
import { CONFIG_MAPS, SECRETS } from '../client/resources.ts';
import type { ConfigMap, Pod, Secret } from '../kube/api-types.ts';
import { downwardVersion } from './downward.ts';
import { type SourceRef, type Sources, sourceRefs } from './sources.ts';

type Entry = {
  object: KubeObject | undefined;
  isSynced: boolean;
  readonly synced: Promise<void>;
  readonly users: Set<PodUid>;
  readonly abort: AbortController;
};

export type SourceCacheOptions = {
  readonly api: ResourceApi;
  readonly log: Log;
  readonly onChange: (uid: PodUid) => void;
};

export class SourceCache {
  readonly #options: SourceCacheOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: SourceCacheOptions) {
    this.#options = options;
  }

  /** Resolves when everything the pod refers to has been read, or found absent. */
  async load(uid: PodUid, pod: Pod, signal: AbortSignal): Promise<void> {
    const entries = refKeys(pod).map(([key, ref]) => this.#entries.get(key) ?? this.#follow(key, ref, pod));
    for (const entry of entries) entry.users.add(uid);
    const aborted = new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    await Promise.race([Promise.all(entries.map((entry) => entry.synced)), aborted]);
  }

  /** Changes with anything the pod's volumes and environment are made of; undefined until all of it is known. */
  version(pod: Pod): string | undefined {
    const parts = [downwardVersion(pod)];
    for (const [key] of refKeys(pod)) {
      const entry = this.#entries.get(key);
      if (entry?.isSynced !== true) return undefined;
      parts.push(`${key}@${entry.object?.metadata?.resourceVersion ?? 'absent'}`);
    }
    return parts.join(',');
  }

  sources(namespace: string): Sources {
    const find = (kind: SourceRef['kind'], name: string): KubeObject | undefined =>
      this.#entries.get(keyOf(namespace, { kind, name }))?.object;
    return {
      namespace,
      configMap: (name) => find('ConfigMap', name) as ConfigMap | undefined,
      secret: (name) => find('Secret', name) as Secret | undefined,
    };
  }

  release(uid: PodUid): void {
    for (const [key, entry] of this.#entries) {
      if (!entry.users.delete(uid) || entry.users.size > 0) continue;
      entry.abort.abort();
      this.#entries.delete(key);
    }
  }

  stop(): void {
    for (const entry of this.#entries.values()) entry.abort.abort();
    this.#entries.clear();
  }

  #follow(key: string, ref: SourceRef, pod: Pod): Entry {
    const { promise: synced, resolve } = Promise.withResolvers<void>();
    const entry: Entry = {
      object: undefined,
      isSynced: false,
      synced,
      users: new Set(),
      abort: new AbortController(),
    };
    this.#entries.set(key, entry);
    const changed = (object: KubeObject | undefined): void => {
      entry.object = object;
      if (entry.isSynced) for (const uid of entry.users) this.#options.onChange(uid);
    };
    const handlers: InformerOptions<KubeObject>['handlers'] = {
      onObject: changed,
      onDelete: () => changed(undefined),
      onSynced: () => {
        entry.isSynced = true;
        resolve();
      },
    };
    const { api, log } = this.#options;
    const resource: ResourceRef = ref.kind === 'ConfigMap' ? CONFIG_MAPS : SECRETS;
    const select = { namespace: pod.metadata?.namespace, fieldSelector: `metadata.name=${ref.name}` };
    void runInformer({ api, ref: resource, select, handlers, log }, entry.abort.signal);
    return entry;
  }
}

function refKeys(pod: Pod): readonly (readonly [string, SourceRef])[] {
  const namespace = pod.metadata?.namespace ?? 'default';
  return sourceRefs(pod).map((ref) => [keyOf(namespace, ref), ref]);
}

const keyOf = (namespace: string, ref: SourceRef): string => `${ref.kind}/${namespace}/${ref.name}`;
