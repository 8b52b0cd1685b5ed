// How many objects of each kind there are, and how far the store has counted.
import { figures } from '../base/figures.ts';
import { ownsObjects } from './kind.ts';
import type { ServerParts } from './request.ts';
import { storagePrefix } from './storage-key.ts';

/** Returns the undo. */
export function countObjects(parts: ServerParts): () => void {
  const { store } = parts;
  const undo = [
    figures.gauge(
      {
        name: 'apiserver_resource_objects',
        help: 'Number of stored objects at the time of last check split by kind.',
      },
      () =>
        parts.kinds.filter(ownsObjects).map((kind) => {
          const { group, plural: resource } = kind;
          return { labels: { group, resource }, value: store.count(storagePrefix(kind)) };
        }),
    ),
    figures.gauge(
      { name: 'podwright_store_revision', help: 'Revision of the newest change in the store.' },
      () => [{ value: store.revision }],
    ),
  ];
  return () => {
    for (const one of undo) one();
  };
}
