// Empties and removes namespaces that are being deleted. It acts on what is in the store, so it finishes after a restart
// what was begun before; pods go in their own time, and the last object's removal takes the namespace with it.

import { errorText, isPodwrightError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { KubeObject } from '../client/resource-api.ts';
import { NAMESPACES } from '../client/resources.ts';
import { deleteObject } from './delete.ts';
import { ownsObjects } from './kind.ts';
import { stamped } from './object-meta.ts';
import type { ServerParts } from './request.ts';
import { storageKey, storagePrefix } from './storage-key.ts';

type Content = { readonly kind: ServerParts['kinds'][number]; readonly object: KubeObject };

function contentsOf(parts: ServerParts, namespace: string): Content[] {
  return parts.kinds
    .filter((kind) => kind.namespaced && ownsObjects(kind))
    .flatMap((kind) => {
      const page = parts.store.list({ prefix: storagePrefix(kind, namespace) });
      return page.values.map((object) => ({ kind, object }));
    });
}

/** One step: asks for the deletion of all that is in it; removes it once nothing is. */
async function sweep(parts: ServerParts, namespace: string): Promise<void> {
  const contents = contentsOf(parts, namespace);
  if (contents.length === 0) {
    await parts.store.write(storageKey(NAMESPACES, { name: namespace }), (current, next) => {
      if (current?.metadata?.deletionTimestamp === undefined) return { verb: 'keep' };
      return { verb: 'remove', value: stamped(current, next) };
    });
    return;
  }
  for (const { kind, object } of contents) {
    const { name = '', deletionTimestamp } = object.metadata ?? {};
    if (deletionTimestamp !== undefined) continue;
    try {
      await deleteObject(parts, {
        kind,
        namespace,
        name,
        dryRun: false,
        options: { propagationPolicy: 'Background' },
      });
    } catch (error) {
      if (!isPodwrightError(error, 'NotFound')) throw error;
    }
  }
}

/** Resolves when the signal aborts. */
export async function runNamespaceCleaner(parts: ServerParts, log: Log, signal: AbortSignal): Promise<void> {
  const isTerminating = (name: string): boolean =>
    parts.store.get(storageKey(NAMESPACES, { name }))?.metadata?.deletionTimestamp !== undefined;
  const consider = async (name: string): Promise<void> => {
    if (!isTerminating(name)) return;
    try {
      await sweep(parts, name);
    } catch (error) {
      if (!signal.aborted)
        log.error('namespace was not emptied', { namespace: name, error: errorText(error) });
    }
  };
  while (!signal.aborted) {
    try {
      const changes = parts.store.watch('/registry/', parts.store.revision, signal);
      for (const { metadata } of parts.store.list({ prefix: storagePrefix(NAMESPACES) }).values) {
        await consider(metadata?.name ?? '');
      }
      for await (const { type, value } of changes) {
        if (value.kind === 'Namespace') await consider(value.metadata?.name ?? '');
        else if (type === 'remove' && value.metadata?.namespace) await consider(value.metadata.namespace);
      }
    } catch (error) {
      // Too slow for the watch: look at everything again. A closed store ends it.
      if (!isPodwrightError(error, 'Expired')) return;
    }
  }
}
