// How everything talks to the API: the command line, the agent, the scheduler and the controllers see only this.
// In-process it is the API server's own (apiserver/), over HTTP it is http-client.ts; both pass the same contract
// test. Objects it hands out are shared and must not be changed in place.
import type { ObjectMeta } from '../kube/api-types.ts';
import type { PropagationPolicy } from '../kube/owners.ts';

/** What every API object has. */
export type KubeObject = {
  readonly apiVersion?: string | undefined;
  readonly kind?: string | undefined;
  readonly metadata?: ObjectMeta | undefined;
};

/** Where a kind lives: group "" is core. Names the REST path, not the Go type. */
export type ResourceRef<T extends KubeObject = KubeObject> = {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Never set: carries the type of the objects. */
  readonly objectType?: T;
};

export type ObjectKey = { readonly namespace?: string | undefined; readonly name: string };

export type ListOptions = {
  /** Absent: all namespaces. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly limit?: number | undefined;
  readonly continue?: string | undefined;
};

export type ObjectList<T> = {
  readonly items: readonly T[];
  /** The revision the list was read at: watch from here to miss nothing. */
  readonly resourceVersion: string;
  readonly continue?: string | undefined;
};

export type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string };

export type WatchOptions = ListOptions & { readonly signal: AbortSignal };

export type PatchType =
  | 'application/json-patch+json'
  | 'application/merge-patch+json'
  | 'application/strategic-merge-patch+json'
  /** Server-side apply: the body is what the field manager wants, the object is made if need be. */
  | 'application/apply-patch+yaml';

export type WriteOptions = {
  readonly subresource?: string | undefined;
  readonly dryRun?: boolean | undefined;
  /** Who writes, as metadata.managedFields names them. */
  readonly fieldManager?: string | undefined;
  /** An apply takes what other managers own instead of meeting a conflict. */
  readonly force?: boolean | undefined;
  /** What happens to unknown and doubled fields; Strict refuses them. Absent: the server's own way. */
  readonly fieldValidation?: 'Strict' | 'Warn' | 'Ignore' | undefined;
};

export type DeleteOptions = {
  readonly gracePeriodSeconds?: number | undefined;
  /** What becomes of the objects that name this one as their owner. Absent: the kind's way, mostly Background. */
  readonly propagationPolicy?: PropagationPolicy | undefined;
  /** The older way to say Orphan, or not. */
  readonly orphanDependents?: boolean | undefined;
  readonly preconditions?:
    | { readonly uid?: string | undefined; readonly resourceVersion?: string | undefined }
    | undefined;
};

/**
 * Failures are PodwrightErrors whose code is the API's reason (NotFound, AlreadyExists, Conflict, Invalid, Expired ...).
 * A watch ends by its signal (quietly) or by an error; `Expired` means: list again.
 */
export type ResourceApi = {
  get<T extends KubeObject>(ref: ResourceRef<T>, key: ObjectKey): Promise<T>;
  list<T extends KubeObject>(ref: ResourceRef<T>, options?: ListOptions): Promise<ObjectList<T>>;
  create<T extends KubeObject>(ref: ResourceRef<T>, object: T, options?: WriteOptions): Promise<T>;
  /** Replaces; a metadata.resourceVersion in the object makes it a compare-and-swap. */
  update<T extends KubeObject>(ref: ResourceRef<T>, object: T, options?: WriteOptions): Promise<T>;
  patch<T extends KubeObject>(
    ref: ResourceRef<T>,
    key: ObjectKey,
    patch: { readonly type: PatchType; readonly body: unknown },
    options?: WriteOptions,
  ): Promise<T>;
  /** Resolves with the object as it is after the call: still there (terminating) or as it last was. */
  delete<T extends KubeObject>(ref: ResourceRef<T>, key: ObjectKey, options?: DeleteOptions): Promise<T>;
  watch<T extends KubeObject>(ref: ResourceRef<T>, options: WatchOptions): AsyncIterable<WatchEvent<T>>;
};
