// The store as one kind sees it: its objects in its own form. A kind that is another's view (events.k8s.io/v1 events are the
// core group's) or another version of it has no objects of its own; both ways of the conversion happen here alone.
import type { Revision } from '../base/brand.ts';
import type { KubeObject, ObjectKey } from '../client/resource-api.ts';
import type { Change } from '../store/history.ts';
import type { Decide, ListQuery, Page, Store } from '../store/store.ts';
import type { Kind } from './kind.ts';
import { storageKey, storagePrefix } from './storage-key.ts';

type Query = Omit<ListQuery<KubeObject>, 'prefix'> & { readonly namespace?: string | undefined };

export type KindStore = {
  get(key: ObjectKey): KubeObject | undefined;
  list(query: Query): Page<KubeObject>;
  write(key: ObjectKey, decide: Decide<KubeObject>): Promise<KubeObject | undefined>;
  watch(
    namespace: string | undefined,
    after: Revision,
    signal: AbortSignal,
  ): AsyncIterable<Change<KubeObject>>;
};

function ownStore(store: Store<KubeObject>, kind: Kind): KindStore {
  return {
    get: (key) => store.get(storageKey(kind, key)),
    list: ({ namespace, ...query }) => store.list({ ...query, prefix: storagePrefix(kind, namespace) }),
    write: (key, decide) => store.write(storageKey(kind, key), decide),
    watch: (namespace, after, signal) => store.watch(storagePrefix(kind, namespace), after, signal),
  };
}

function viewStore(own: KindStore, { read, write }: NonNullable<Kind['view']>): KindStore {
  const readSome = (object: KubeObject | undefined): KubeObject | undefined => object && read(object);
  return {
    get: (key) => readSome(own.get(key)),
    list: (query) => {
      const { where } = query;
      const page = own.list({ ...query, where: where && ((object) => where(read(object))) });
      return { ...page, values: page.values.map(read) };
    },
    write: async (key, decide) => {
      const stored = await own.write(key, (current, next) => {
        const decision = decide(readSome(current), next);
        return decision.verb === 'keep' ? decision : { ...decision, value: write(decision.value) };
      });
      return readSome(stored);
    },
    watch: (namespace, after, signal) => {
      // Asked for at once, not at the first read: nothing may happen in between.
      const changes = own.watch(namespace, after, signal);
      return (async function* () {
        for await (const change of changes) {
          yield { ...change, value: read(change.value), previous: readSome(change.previous) };
        }
      })();
    },
  };
}

export function kindStore(store: Store<KubeObject>, kind: Kind): KindStore {
  const own = ownStore(store, kind);
  return kind.view === undefined ? own : viewStore(own, kind.view);
}
