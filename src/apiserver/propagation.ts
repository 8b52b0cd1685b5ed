// What becomes of a deleted object's dependents, written into its finalizers for the garbage collector: what the request says,
// else what the object's own finalizers say, else the kind's way (registry/generic/registry/store.go).
import type { DeleteOptions, KubeObject } from '../client/resource-api.ts';
import { FOREGROUND_FINALIZER, ORPHAN_FINALIZER, type PropagationPolicy } from '../kube/owners.ts';

type Propagating = { readonly strategy: { readonly orphansDependents?: boolean | undefined } };

function policyOf(
  kind: Propagating,
  finalizers: readonly string[],
  { propagationPolicy, orphanDependents }: DeleteOptions,
): PropagationPolicy {
  if (orphanDependents !== undefined) return orphanDependents ? 'Orphan' : 'Background';
  if (propagationPolicy !== undefined) return propagationPolicy;
  if (finalizers.includes(ORPHAN_FINALIZER)) return 'Orphan';
  if (finalizers.includes(FOREGROUND_FINALIZER)) return 'Foreground';
  return kind.strategy.orphansDependents === true ? 'Orphan' : 'Background';
}

/** The object as it is once its deletion is announced. */
export function withPropagation(kind: Propagating, object: KubeObject, options: DeleteOptions): KubeObject {
  const { finalizers = [] } = object.metadata ?? {};
  const policy = policyOf(kind, finalizers, options);
  const others = finalizers.filter((one) => one !== ORPHAN_FINALIZER && one !== FOREGROUND_FINALIZER);
  const wanted = [
    ...others,
    ...(policy === 'Orphan' ? [ORPHAN_FINALIZER] : []),
    ...(policy === 'Foreground' ? [FOREGROUND_FINALIZER] : []),
  ];
  const isSame = wanted.length === finalizers.length && wanted.every((one) => finalizers.includes(one));
  return isSame ? object : { ...object, metadata: { ...object.metadata, finalizers: wanted } };
}
