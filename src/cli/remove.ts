// Removal of objects, and waiting until they are gone: what `down`, `rm` and Ctrl-C in `up` have in common.
import { isPodwrightError, PodwrightError } from '../base/errors.ts';
import type { KubeObject, ObjectKey, ResourceApi, ResourceRef } from '../client/resource-api.ts';

export type RemovalTarget = { readonly ref: ResourceRef; readonly key: ObjectKey };

export type RemovalOptions = {
  /** Absent: the pod's own terminationGracePeriodSeconds. */
  readonly gracePeriodSeconds?: number | undefined;
  readonly signal: AbortSignal;
};

export const targetText = ({ ref, key }: RemovalTarget): string => `${ref.kind.toLowerCase()}/${key.name}`;

/** Resolves with the object as it is now, or undefined when there is none. */
async function findNow<T extends KubeObject>(
  api: ResourceApi,
  ref: ResourceRef<T>,
  key: ObjectKey,
): Promise<T | undefined> {
  try {
    return await api.get(ref, key);
  } catch (error) {
    if (isPodwrightError(error, 'NotFound')) return undefined;
    throw error;
  }
}

/** Resolves once no object of that uid has the name any more. Throws the signal's reason when it aborts before. */
export async function waitUntilGone(
  api: ResourceApi,
  { ref, key }: RemovalTarget,
  signal: AbortSignal,
): Promise<void> {
  const uid = (await findNow(api, ref, key))?.metadata?.uid;
  if (uid === undefined) return;
  while (true) {
    const fieldSelector = `metadata.name=${key.name}`;
    const { items, resourceVersion } = await api.list(ref, { namespace: key.namespace, fieldSelector });
    if (items[0]?.metadata?.uid !== uid) return;
    try {
      for await (const event of api.watch(ref, {
        namespace: key.namespace,
        fieldSelector,
        resourceVersion,
        signal,
      })) {
        if (event.type === 'DELETED' && event.object.metadata?.uid === uid) return;
      }
    } catch (error) {
      if (!isPodwrightError(error, 'Expired')) throw error;
    }
    signal.throwIfAborted();
  }
}

/** False when there was nothing to remove. Returns once it is gone; throws WaitTimeout when the signal timed out. */
export async function removeObject(
  api: ResourceApi,
  target: RemovalTarget,
  options: RemovalOptions,
): Promise<boolean> {
  const { gracePeriodSeconds, signal } = options;
  try {
    await api.delete(target.ref, target.key, { gracePeriodSeconds });
  } catch (error) {
    if (isPodwrightError(error, 'NotFound')) return false;
    throw error;
  }
  try {
    await waitUntilGone(api, target, signal);
  } catch (error) {
    if (!(error instanceof DOMException && error.name === 'TimeoutError')) throw error;
    throw new PodwrightError(
      'WaitTimeout',
      `wait until ${targetText(target)} is gone: not within the timeout; its removal goes on, and podwright rm forces it`,
    );
  }
  return true;
}
