// Owner references and the finalizers by which a deletion waits for the garbage collector.
// https://kubernetes.io/docs/concepts/architecture/garbage-collection/
import type { ObjectMeta, OwnerReference } from './api-types.ts';

/** The object stays until its dependents have been let go of. */
export const ORPHAN_FINALIZER = 'orphan';
/** The object stays until the dependents that block it are gone. */
export const FOREGROUND_FINALIZER = 'foregroundDeletion';

export type PropagationPolicy = 'Orphan' | 'Background' | 'Foreground';

export const PROPAGATION_POLICIES: readonly PropagationPolicy[] = ['Foreground', 'Background', 'Orphan'];

type Owned = { readonly metadata?: ObjectMeta | undefined };

export function ownersOf({ metadata }: Owned): readonly OwnerReference[] {
  return metadata?.ownerReferences ?? [];
}

/** It is being deleted, and this finalizer holds it. */
export function waitsFor({ metadata }: Owned, finalizer: string): boolean {
  return metadata?.deletionTimestamp !== undefined && (metadata.finalizers ?? []).includes(finalizer);
}
