// Keeps the CustomResourceDefinitions' status, and takes a deleted one's instances away before it goes. It acts on what is in
// the store, so that it finishes after a restart what was begun before.
import { isDeepStrictEqual } from 'node:util';
import { errorText, isPodwrightError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { KubeObject } from '../../client/resource-api.ts';
import { CUSTOM_RESOURCE_DEFINITIONS } from '../../client/resources.ts';
import type { CustomResourceDefinition } from '../../kube/api-types.ts';
import { deleteObject } from '../delete.ts';
import { type Kind, ownsObjects } from '../kind.ts';
import { kindStore } from '../kind-store.ts';
import { stamped, withMeta } from '../object-meta.ts';
import type { ServerParts } from '../request.ts';
import { storageKey, storagePrefix } from '../storage-key.ts';
import { CLEANUP_FINALIZER, withStatus } from './definition-status.ts';

const PREFIX = storagePrefix(CUSTOM_RESOURCE_DEFINITIONS);

function definitionsIn({ store }: ServerParts): readonly CustomResourceDefinition[] {
  return store.list({ prefix: PREFIX }).values as readonly CustomResourceDefinition[];
}

function keyOf({ metadata }: KubeObject): string {
  return storageKey(CUSTOM_RESOURCE_DEFINITIONS, { name: metadata?.name ?? '' });
}

async function keepStatus(parts: ServerParts, definition: CustomResourceDefinition): Promise<void> {
  const known = {
    definitions: definitionsIn(parts),
    builtIn: parts.kinds.filter(({ custom }) => custom === undefined),
  };
  await parts.store.write(keyOf(definition), (current, next) => {
    if (current === undefined) return { verb: 'keep' };
    const wanted = withStatus(current as CustomResourceDefinition, known, parts.clock.nowMs());
    return isDeepStrictEqual(wanted, current)
      ? { verb: 'keep' }
      : { verb: 'put', value: stamped(wanted, next) };
  });
}

/** One step: asks for the deletion of every instance; lets the definition go once there is none. */
async function clean(parts: ServerParts, definition: CustomResourceDefinition): Promise<void> {
  const { group, names } = definition.spec;
  const kind: Kind | undefined = parts.kinds.find(
    (one) => one.group === group && one.plural === names.plural && ownsObjects(one),
  );
  const { values } = kind === undefined ? { values: [] } : kindStore(parts.store, kind).list({});
  if (kind === undefined || values.length === 0) {
    await parts.store.write(keyOf(definition), (current, next) => {
      if (current?.metadata?.deletionTimestamp === undefined) return { verb: 'keep' };
      const finalizers = (current.metadata.finalizers ?? []).filter((one) => one !== CLEANUP_FINALIZER);
      const value = stamped(withMeta(current, { finalizers }), next);
      return { verb: finalizers.length === 0 ? 'remove' : 'put', value };
    });
    return;
  }
  for (const { metadata } of values) {
    if (metadata?.deletionTimestamp !== undefined) continue;
    const { namespace, name = '' } = metadata ?? {};
    const options = { propagationPolicy: 'Background' } as const;
    await deleteObject(parts, { kind, namespace, name, dryRun: false, options }).catch((error: unknown) => {
      if (!isPodwrightError(error, 'NotFound')) throw error;
    });
  }
}

async function keepAll(parts: ServerParts, log: Log): Promise<void> {
  for (const definition of definitionsIn(parts)) {
    try {
      await keepStatus(parts, definition);
      if (definition.metadata?.deletionTimestamp !== undefined) await clean(parts, definition);
    } catch (error) {
      log.error('definition was not kept', { name: definition.metadata?.name, error: errorText(error) });
    }
  }
}

/** Resolves when the signal aborts. */
export async function runDefinitionKeeper(parts: ServerParts, log: Log, signal: AbortSignal): Promise<void> {
  const isCustom = ({ apiVersion = '' }: KubeObject): boolean =>
    definitionsIn(parts).some(({ spec }) => apiVersion.startsWith(`${spec.group}/`));
  while (!signal.aborted) {
    try {
      const changes = parts.store.watch('/registry/', parts.store.revision, signal);
      await keepAll(parts, log);
      for await (const { key, type, value } of changes) {
        if (key.startsWith(PREFIX) || (type === 'remove' && isCustom(value))) await keepAll(parts, log);
      }
    } catch (error) {
      // Too slow for the watch: look at everything again. A closed store ends it.
      if (!isPodwrightError(error, 'Expired')) return;
    }
  }
}
