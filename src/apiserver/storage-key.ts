// Where an object lies in the store: /registry/<group>/<plural>/[<namespace>/]<name>, with "core" for the core group.
import type { ObjectKey } from '../client/resource-api.ts';

type Place = {
  readonly group: string;
  readonly plural: string;
  readonly namespaced: boolean;
  /** A view's objects lie where those it is a view of do. */
  readonly view?: { readonly of: { readonly group: string; readonly plural: string } } | undefined;
};

/** The prefix of a kind's objects, of one namespace or of all. */
export function storagePrefix(kind: Place, namespace?: string): string {
  const { group, plural } = kind.view?.of ?? kind;
  const prefix = `/registry/${group === '' ? 'core' : group}/${plural}/`;
  return kind.namespaced && namespace !== undefined ? `${prefix}${namespace}/` : prefix;
}

export function storageKey(kind: Place, key: ObjectKey): string {
  return storagePrefix(kind, key.namespace) + key.name;
}
