// What the garbage collector does with what is: dependents whose owners are all gone are deleted, those that have another
// owner let go of the dead one, and owners that wait for their dependents are let go. Pure; the laws are Kubernetes'
// (pkg/controller/garbagecollector), its page https://kubernetes.io/docs/concepts/architecture/garbage-collection/.
import type { KubeObject, ResourceRef } from '../../client/resource-api.ts';
import type { OwnerReference } from '../../kube/api-types.ts';
import {
  FOREGROUND_FINALIZER,
  ORPHAN_FINALIZER,
  ownersOf,
  type PropagationPolicy,
  waitsFor,
} from '../../kube/owners.ts';

export type Item = { readonly ref: ResourceRef; readonly object: KubeObject };

export type GarbageStep =
  /** `absent` are the owners that were not found: whoever carries it out looks once more, for no cache is the truth. */
  | {
      readonly kind: 'collect';
      readonly item: Item;
      readonly policy: PropagationPolicy;
      readonly absent: readonly OwnerReference[];
    }
  /** The item's owner references become these. */
  | {
      readonly kind: 'setOwners';
      readonly item: Item;
      readonly owners: readonly OwnerReference[];
      readonly absent: readonly OwnerReference[];
    }
  | { readonly kind: 'removeFinalizer'; readonly item: Item; readonly finalizer: string }
  /** The reference can never hold: a cluster-wide or foreign object cannot be owned from inside a namespace. */
  | { readonly kind: 'tell'; readonly item: Item; readonly owner: OwnerReference };

export type Graph = {
  readonly items: readonly Item[];
  readonly byUid: ReadonlyMap<string, Item>;
  readonly dependents: ReadonlyMap<string, readonly Item[]>;
  /** The kind an owner reference means; undefined where nobody serves it. */
  readonly kindOf: (owner: OwnerReference) => ResourceRef | undefined;
};

export function graphOf(items: readonly Item[], kindOf: Graph['kindOf']): Graph {
  const byUid = new Map(items.map((item) => [item.object.metadata?.uid ?? '', item]));
  const dependents = new Map<string, Item[]>();
  for (const item of items) {
    for (const { uid } of ownersOf(item.object)) {
      const known = dependents.get(uid);
      if (known === undefined) dependents.set(uid, [item]);
      else known.push(item);
    }
  }
  return { items, byUid, dependents, kindOf };
}

/**
 * solid: it is there, or nobody can tell. waiting: it is being deleted and waits for its dependents. absent: it is not there,
 * or in another namespace, which is the same. invalid: namespaced, and the dependent is not: never collected.
 */
type OwnerState = 'solid' | 'waiting' | 'absent' | 'invalid';

function stateOf(owner: OwnerReference, { object }: Item, { byUid, kindOf }: Graph): OwnerState {
  const kind = kindOf(owner);
  if (kind === undefined) return 'solid';
  const { namespace } = object.metadata ?? {};
  if (kind.namespaced && namespace === undefined) return 'invalid';
  const found = byUid.get(owner.uid);
  const isIt =
    found?.ref.kind === owner.kind &&
    found.object.metadata?.name === owner.name &&
    (!kind.namespaced || found.object.metadata?.namespace === namespace);
  if (!isIt) return 'absent';
  return waitsFor(found.object, FOREGROUND_FINALIZER) ? 'waiting' : 'solid';
}

const isDeleting = ({ object }: Item): boolean => object.metadata?.deletionTimestamp !== undefined;

/** What the dependent's own finalizers say of its dependents in turn. */
function policyOf({ object }: Item): PropagationPolicy {
  const { finalizers = [] } = object.metadata ?? {};
  if (finalizers.includes(ORPHAN_FINALIZER)) return 'Orphan';
  return finalizers.includes(FOREGROUND_FINALIZER) ? 'Foreground' : 'Background';
}

/** A foreign owner is told of: it is there, but in another namespace. */
function tellsOf(item: Item, owners: readonly OwnerReference[], graph: Graph): GarbageStep[] {
  return owners
    .filter((owner) => {
      const state = stateOf(owner, item, graph);
      return state === 'invalid' || (state === 'absent' && graph.byUid.has(owner.uid));
    })
    .map((owner) => ({ kind: 'tell', item, owner }));
}

/** An object that is not being deleted and has owners. */
function planDependent(item: Item, graph: Graph): GarbageStep[] {
  const owners = ownersOf(item.object);
  const withState = owners.map((owner) => ({ owner, state: stateOf(owner, item, graph) }));
  const inState = (...states: OwnerState[]): OwnerReference[] =>
    withState.filter(({ state }) => states.includes(state)).map(({ owner }) => owner);
  const [held, waiting, absent] = [inState('solid', 'invalid'), inState('waiting'), inState('absent')];
  const tells = tellsOf(item, owners, graph);
  if (waiting.length + absent.length === 0) return tells;
  if (held.length > 0) return [...tells, { kind: 'setOwners', item, owners: held, absent }];
  // Whoever is waited for waits in turn for its own.
  const hasDependents = (graph.dependents.get(item.object.metadata?.uid ?? '') ?? []).length > 0;
  const policy = waiting.length > 0 && hasDependents ? 'Foreground' : policyOf(item);
  return [...tells, { kind: 'collect', item, policy, absent }];
}

/** An owner that waits until it has no dependents any more: each forgets it. */
function planOrphaning(item: Item, dependents: readonly Item[]): GarbageStep[] {
  const uid = item.object.metadata?.uid;
  if (dependents.length === 0) return [{ kind: 'removeFinalizer', item, finalizer: ORPHAN_FINALIZER }];
  return dependents.map((dependent) => {
    const owners = ownersOf(dependent.object).filter((owner) => owner.uid !== uid);
    return { kind: 'setOwners', item: dependent, owners, absent: [] };
  });
}

/** The dependents that the item, which is being deleted in the foreground, waits for. */
function blockersOf({ object }: Item, { dependents }: Graph): readonly Item[] {
  const uid = object.metadata?.uid ?? '';
  return (dependents.get(uid) ?? []).filter((dependent) =>
    ownersOf(dependent.object).some((owner) => owner.uid === uid && owner.blockOwnerDeletion === true),
  );
}

/** Whether `item` waits, over however many others, for `other`. */
function waitsLongFor(item: Item, other: Item, graph: Graph): boolean {
  const queue = [item];
  const seen = new Set(queue);
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (next === other) return true;
    if (!waitsFor(next.object, FOREGROUND_FINALIZER)) continue;
    for (const blocker of blockersOf(next, graph)) {
      if (!seen.has(blocker)) queue.push(blocker);
      seen.add(blocker);
    }
  }
  return false;
}

/** An owner that waits until the dependents that block it are gone; those that wait for it in turn no longer block it. */
function planForeground(item: Item, graph: Graph): GarbageStep[] {
  const blockers = blockersOf(item, graph);
  if (blockers.length === 0) return [{ kind: 'removeFinalizer', item, finalizer: FOREGROUND_FINALIZER }];
  const circular = blockers.filter((blocker) => waitsLongFor(blocker, item, graph));
  return circular.map((dependent) => ({
    kind: 'setOwners',
    item: dependent,
    owners: ownersOf(dependent.object).map((owner) =>
      owner.uid === item.object.metadata?.uid ? { ...owner, blockOwnerDeletion: false } : owner,
    ),
    absent: [],
  }));
}

export function planGarbage(graph: Graph): GarbageStep[] {
  return graph.items.flatMap((item) => {
    const dependents = graph.dependents.get(item.object.metadata?.uid ?? '') ?? [];
    if (waitsFor(item.object, ORPHAN_FINALIZER)) return planOrphaning(item, dependents);
    if (waitsFor(item.object, FOREGROUND_FINALIZER)) return planForeground(item, graph);
    return isDeleting(item) || ownersOf(item.object).length === 0 ? [] : planDependent(item, graph);
  });
}
