// One object of a manifest becomes true: created, merged into what is there, or made anew when a pod has already ended.
import { isPodwrightError, PodwrightError } from '../base/errors.ts';
import type { KubeObject, ResourceApi, WriteOptions } from '../client/resource-api.ts';
import type { Pod } from '../kube/api-types.ts';
import { isTerminal } from '../kube/pod.ts';
import type { ManifestObjectRef } from './manifests.ts';
import { removeObject, waitUntilGone } from './remove.ts';

export type Applied = {
  readonly object: KubeObject;
  readonly verb: 'created' | 'configured' | 'unchanged' | 'created anew, as it had ended';
};

/** As kubectl writes: a misspelt field is refused, not dropped. */
const WRITE: WriteOptions = { fieldManager: 'podwright', fieldValidation: 'Strict' };

/** A pod's spec is fixed but for images, tolerations and the deadline; kube-apiserver says so, not what to do. */
function withRemedy(error: unknown, { source, ref, key }: ManifestObjectRef): unknown {
  if (!isPodwrightError(error)) return error;
  const isImmutable =
    ref.kind === 'Pod' && error.code === 'Invalid' && /may not |immutable/i.test(error.message);
  const remedy = isImmutable
    ? `\na running pod keeps its spec, its images excepted; replace it with: podwright down ${key.name} && podwright up ${source.replace(/:\d+.*$/, '')}`
    : '';
  return new PodwrightError(error.code, `${source}: ${error.message}${remedy}`, {
    cause: error.cause,
    details: error.details,
  });
}

async function createOrMerge(
  api: ResourceApi,
  entry: ManifestObjectRef,
  signal: AbortSignal,
): Promise<Applied> {
  const { ref, key, object } = entry;
  const create = async (verb: Applied['verb']): Promise<Applied> => ({
    object: await api.create(ref, object as KubeObject, WRITE),
    verb,
  });
  if (key.name === '') return create('created');
  const present = (
    await api.list(ref, { namespace: key.namespace, fieldSelector: `metadata.name=${key.name}` })
  ).items[0];
  if (present === undefined) return create('created');
  if (present.metadata?.deletionTimestamp !== undefined) {
    await waitUntilGone(api, entry, signal);
    return create('created');
  }
  if (ref.kind === 'Pod' && isTerminal(present as Pod)) {
    await removeObject(api, entry, { gracePeriodSeconds: 0, signal });
    return create('created anew, as it had ended');
  }
  const patch = { type: 'application/strategic-merge-patch+json', body: object } as const;
  const merged = await api.patch(ref, key, patch, WRITE);
  const isSame = merged.metadata?.resourceVersion === present.metadata?.resourceVersion;
  return { object: merged, verb: isSame ? 'unchanged' : 'configured' };
}

/** Throws the API's refusal with the place in the manifest and, where one exists, the remedy. */
export async function applyObject(
  api: ResourceApi,
  entry: ManifestObjectRef,
  signal: AbortSignal,
): Promise<Applied> {
  try {
    return await createOrMerge(api, entry, signal);
  } catch (error) {
    throw withRemedy(error, entry);
  }
}
