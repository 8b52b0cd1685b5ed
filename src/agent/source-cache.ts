// What pods here are made of: the tokens in their volumes, and the ConfigMaps, Secrets and claims they refer to, with the
// volumes those claims are bound to. Exactly those are followed:
// one watch per object, shared by its users, ended with the last of them (the kubelet's Watch strategy; it needs no right
// to list others' objects). A change wakes the pods that use the object.
import { BOUNDS } from '../base/bounds.ts';
import type { PodUid } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { type InformerOptions, runInformer } from '../client/informer.ts';
import type { KubeObject, ObjectKey, ResourceApi, ResourceRef } from '../client/resource-api.ts';
import {
  CONFIG_MAPS,
  CSI_DRIVERS,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  RUNTIME_CLASSES,
  SECRETS,
} from '../client/resources.ts';
import type {
  ConfigMap,
  CSIDriver,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  RuntimeClass,
  Secret,
} from '../kube/api-types.ts';
import { isBound } from '../kube/storage.ts';
import { downwardVersion } from './downward.ts';
import { ServiceAccountTokens } from './service-account-tokens.ts';
import { requireBound, type SourceRef, type Sources, sourceRefs } from './sources.ts';

/** A pod's own reference, or the volume a claim of it is bound to. */
type Followed = ObjectKey & { readonly kind: SourceRef['kind'] | 'PersistentVolume' };

const RESOURCES: Record<Followed['kind'], ResourceRef> = {
  ConfigMap: CONFIG_MAPS,
  Secret: SECRETS,
  PersistentVolumeClaim: PERSISTENT_VOLUME_CLAIMS,
  PersistentVolume: PERSISTENT_VOLUMES,
  CSIDriver: CSI_DRIVERS,
  RuntimeClass: RUNTIME_CLASSES,
};

type Entry = {
  object: KubeObject | undefined;
  isSynced: boolean;
  readonly synced: Promise<void>;
  readonly users: Set<PodUid>;
  readonly abort: AbortController;
};

export type SourceCacheOptions = {
  readonly api: ResourceApi;
  readonly clock: Clock;
  readonly log: Log;
  readonly onChange: (uid: PodUid) => void;
};

export class SourceCache {
  readonly #options: SourceCacheOptions;
  readonly #tokens: ServiceAccountTokens;
  readonly #entries = new Map<string, Entry>();

  constructor(options: SourceCacheOptions) {
    this.#options = options;
    this.#tokens = new ServiceAccountTokens(options);
  }

  /**
   * Resolves when everything the pod refers to has been read, or found absent. A claim is given a while to be bound, then
   * it is a ConfigFailed; whoever waits here is told of the binding by onChange.
   */
  async load(uid: PodUid, pod: Pod, signal: AbortSignal): Promise<void> {
    const aborted = new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    const follow = (followed: readonly Followed[]): Promise<unknown> => {
      const entries = followed.map((one) => this.#entries.get(keyOf(one)) ?? this.#follow(one));
      for (const entry of entries) entry.users.add(uid);
      return Promise.race([Promise.all(entries.map((entry) => entry.synced)), aborted]);
    };
    await Promise.all([follow(refsOf(pod)), this.#tokens.load(uid, pod, signal)]);
    if (this.#unbound(pod).length > 0) await Promise.race([this.#bindingTime(signal), aborted]);
    const sources = this.sources(namespaceOf(pod));
    for (const { name } of this.#unbound(pod)) requireBound(sources, name);
    await follow(this.#volumesOf(pod));
    // Once more, for the drivers of volumes that are known only now.
    await follow(this.#volumesOf(pod));
  }

  /** Changes with anything the pod's volumes and environment are made of; undefined until all of it is known. */
  version(pod: Pod): string | undefined {
    if (this.#unbound(pod).length > 0) return undefined;
    const tokens = this.#tokens.version(pod);
    if (tokens === undefined) return undefined;
    const parts = [downwardVersion(pod), tokens];
    for (const followed of [...refsOf(pod), ...this.#volumesOf(pod)]) {
      const entry = this.#entries.get(keyOf(followed));
      if (entry?.isSynced !== true) return undefined;
      parts.push(`${keyOf(followed)}@${versionOf(followed, entry.object)}`);
    }
    return parts.join(',');
  }

  sources(namespace: string): Sources {
    const find = (followed: Followed): KubeObject | undefined => this.#entries.get(keyOf(followed))?.object;
    return {
      namespace,
      configMap: (name) => find({ kind: 'ConfigMap', namespace, name }) as ConfigMap | undefined,
      secret: (name) => find({ kind: 'Secret', namespace, name }) as Secret | undefined,
      claim: (name) =>
        find({ kind: 'PersistentVolumeClaim', namespace, name }) as PersistentVolumeClaim | undefined,
      volume: (name) => find({ kind: 'PersistentVolume', name }) as PersistentVolume | undefined,
      driver: (name) => find({ kind: 'CSIDriver', name }) as CSIDriver | undefined,
      runtimeClass: (name) => find({ kind: 'RuntimeClass', name }) as RuntimeClass | undefined,
      token: (pod, projection) => this.#tokens.token(pod, projection),
    };
  }

  release(uid: PodUid): void {
    this.#tokens.release(uid);
    for (const [key, entry] of this.#entries) {
      if (!entry.users.delete(uid) || entry.users.size > 0) continue;
      entry.abort.abort();
      this.#entries.delete(key);
    }
  }

  stop(): void {
    this.#tokens.stop();
    for (const entry of this.#entries.values()) entry.abort.abort();
    this.#entries.clear();
  }

  #claimOf(followed: Followed): PersistentVolumeClaim | undefined {
    return this.#entries.get(keyOf(followed))?.object as PersistentVolumeClaim | undefined;
  }

  #unbound(pod: Pod): readonly Followed[] {
    return claimsOf(pod).filter((one) => {
      const claim = this.#claimOf(one);
      return claim === undefined || !isBound(claim);
    });
  }

  /** The volumes of bound claims, and the drivers of those. */
  #volumesOf(pod: Pod): readonly Followed[] {
    return claimsOf(pod).flatMap((one): readonly Followed[] => {
      const name = this.#claimOf(one)?.spec?.volumeName;
      if (name === undefined || name === '') return [];
      const followed: Followed = { kind: 'PersistentVolume', name };
      const volume = this.#entries.get(keyOf(followed))?.object as PersistentVolume | undefined;
      const driver = volume?.spec?.csi?.driver;
      return driver === undefined ? [followed] : [followed, { kind: 'CSIDriver', name: driver }];
    });
  }

  #bindingTime(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const cancel = clock.at(clock.nowMs() + BOUNDS.claimBindingMs, resolve);
      signal.addEventListener('abort', cancel, { once: true });
    });
  }

  /** The volume of a claim that was bound while pods wait for it. */
  #followVolume(claim: Followed, { users }: Entry): void {
    const name = this.#claimOf(claim)?.spec?.volumeName;
    if (name === undefined || name === '') return;
    const followed: Followed = { kind: 'PersistentVolume', name };
    const entry = this.#entries.get(keyOf(followed)) ?? this.#follow(followed);
    for (const uid of users) entry.users.add(uid);
  }

  #follow(followed: Followed): Entry {
    const { promise: synced, resolve } = Promise.withResolvers<void>();
    const entry: Entry = {
      object: undefined,
      isSynced: false,
      synced,
      users: new Set(),
      abort: new AbortController(),
    };
    this.#entries.set(keyOf(followed), entry);
    const tellUsers = (): void => {
      for (const uid of entry.users) this.#options.onChange(uid);
    };
    const changed = (object: KubeObject | undefined): void => {
      entry.object = object;
      if (!entry.isSynced) return;
      if (followed.kind === 'PersistentVolumeClaim') this.#followVolume(followed, entry);
      tellUsers();
    };
    const handlers: InformerOptions<KubeObject>['handlers'] = {
      onObject: changed,
      onDelete: () => changed(undefined),
      onSynced: () => {
        entry.isSynced = true;
        resolve();
        tellUsers();
      },
    };
    const { api, log } = this.#options;
    const { kind, namespace, name } = followed;
    const select = { namespace, fieldSelector: `metadata.name=${name}` };
    void runInformer({ api, ref: RESOURCES[kind], select, handlers, log }, entry.abort.signal);
    return entry;
  }
}

const namespaceOf = (pod: Pod): string => pod.metadata?.namespace ?? 'default';

const refsOf = (pod: Pod): readonly Followed[] =>
  sourceRefs(pod).map((ref) =>
    RESOURCES[ref.kind].namespaced ? { ...ref, namespace: namespaceOf(pod) } : ref,
  );

const claimsOf = (pod: Pod): readonly Followed[] =>
  refsOf(pod).filter(({ kind }) => kind === 'PersistentVolumeClaim');

const keyOf = ({ kind, namespace = '', name }: Followed): string => `${kind}/${namespace}/${name}`;

/** What a pod is made of changes with the content of a ConfigMap, but not with the status of its storage. */
function versionOf({ kind }: Followed, object: KubeObject | undefined): string {
  if (object === undefined) return 'absent';
  const { uid, resourceVersion } = object.metadata ?? {};
  return (kind === 'ConfigMap' || kind === 'Secret' ? resourceVersion : uid) ?? '';
}
