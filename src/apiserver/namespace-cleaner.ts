// Empties namespaces that are being deleted, and removes those that nobody else holds: it is the finalizer "kubernetes". It acts
// on what is in the store, so it finishes after a restart what was begun before; pods go in their own time, and the last
// object's removal takes the namespace with it.

import { errorText, isPodwrightError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { KubeObject } from '../client/resource-api.ts';
import { NAMESPACES } from '../client/resources.ts';
import type { Namespace } from '../kube/api-types.ts';
import { deleteObject } from './delete.ts';
import { ownsObjects } from './kind.ts';
import { NAMESPACE_FINALIZER } from './kinds/namespaces.ts';
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

const finalizersOf = (namespace: Namespace | undefined): readonly string[] =>
  namespace?.spec?.finalizers ?? [];

/** The namespace without this finalizer; gone, when it was the last. */
async function finalize(parts: ServerParts, name: string): Promise<void> {
  await parts.store.write(storageKey(NAMESPACES, { name }), (current: Namespace | undefined, next) => {
    if (current?.metadata?.deletionTimestamp === undefined) return { verb: 'keep' };
    const finalizers = finalizersOf(current).filter((one) => one !== NAMESPACE_FINALIZER);
    const held = finalizers.length + (current.metadata.finalizers?.length ?? 0);
    const value = stamped({ ...current, spec: { ...current.spec, finalizers } }, next);
    return { verb: held === 0 ? 'remove' : 'put', value };
  });
}

/** One step: asks for the deletion of all that is in it; removes it once nothing is. */
async function sweep(parts: ServerParts, namespace: string): Promise<void> {
  const contents = contentsOf(parts, namespace);
  if (contents.length === 0) return finalize(parts, namespace);
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
  const isOurs = (name: string): boolean => {
    const namespace: Namespace | undefined = parts.store.get(storageKey(NAMESPACES, { name }));
    const isTerminating = namespace?.metadata?.deletionTimestamp !== undefined;
    return isTerminating && finalizersOf(namespace).includes(NAMESPACE_FINALIZER);
  };
  const consider = async (name: string): Promise<void> => {
    if (!isOurs(name)) return;
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
