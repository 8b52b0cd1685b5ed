// The shape of one entry in the table of kinds: everything the API server must know of a kind. Routes, discovery,
// defaults, validation, selectors and Table output all follow from it.
import type { Clock } from '../base/clock.ts';
import type { KubeObject, ResourceRef } from '../client/resource-api.ts';
import type { Shape } from '../kube/apply/typed-value.ts';
import type { Schema } from '../kube/custom/structural-schema.ts';
import type { FieldError } from '../kube/field-error.ts';
import type { Roles } from './access/rbac.ts';
import type { User } from './access/user.ts';
import type { ServerParts } from './request.ts';

export type Subresource =
  | 'status'
  | 'scale'
  | 'log'
  | 'exec'
  | 'attach'
  | 'portforward'
  | 'proxy'
  | 'binding'
  | 'eviction'
  | 'token'
  | PartName;

/** Subresources that write one part of the object besides its status. */
export type PartName = 'ephemeralcontainers' | 'resize' | 'finalize';

/** What admission may look at beside the object itself. Reads are of the newest state. */
export type AdmissionContext = {
  readonly clock: Clock;
  readonly roles: Roles;
  find(plural: string, key: { readonly namespace?: string; readonly name: string }): KubeObject | undefined;
  list(plural: string, namespace?: string): readonly KubeObject[];
};

export type WritablePart = 'main' | 'status' | 'scale' | PartName;

/** Undefined: the kind has no such subresource that can be updated or patched. */
export function partOf(kind: Kind, subresource: string | undefined): WritablePart | undefined {
  if (subresource === undefined) return 'main';
  const parts = ['status', 'ephemeralcontainers', 'resize', 'finalize'] as const;
  return parts.find((part) => part === subresource && kind.subresources.includes(part));
}

export type PartStrategy<T> = {
  /** The current object with the part of what the client wants; everything else the client says is dropped. */
  readonly take: (wanted: T, current: T) => T;
  readonly validateUpdate: (object: T, old: T) => readonly FieldError[];
};

export type Strategy<T> = {
  /** Answers what is created in place of storing it. */
  readonly review?: Review<T>;
  /** Fills in what the object leaves out. Pure and idempotent; also applied to updates. */
  readonly defaults?: (object: T) => T;
  /** Sets what only the server may set on a new object, such as the first status. */
  readonly prepareForCreate?: (object: T) => T;
  /** Undoes what an update of the main resource may not write, silently, as Kubernetes does. */
  readonly prepareForUpdate?: (object: T, old: T) => T;
  readonly validate: (object: T) => readonly FieldError[];
  /** What an update may not do; `object` has passed validate. */
  readonly validateUpdate?: (object: T, old: T) => readonly FieldError[];
  /** Cluster rules for new objects. @throws Forbidden */
  readonly admit?: (object: T, context: AdmissionContext) => void;
  readonly parts?: { readonly [name in PartName]?: PartStrategy<T> };
  /** Texts for the client about what is accepted and has no effect here. */
  readonly warnings?: (object: T) => readonly string[];
  /** Seconds between the deletion and the removal; 0 removes at once. Absent: always at once. */
  readonly graceSeconds?: (object: T, requested: number | undefined) => number;
  /** A deletion that says nothing of dependents leaves them: Kubernetes' oldest kinds. Absent: they are collected. */
  readonly orphansDependents?: boolean | undefined;
  /** Beside metadata.finalizers: it stays, terminating, until whoever holds it removes it. */
  readonly isHeld?: (object: T) => boolean;
  /** What the announced deletion shows beside its timestamp. */
  readonly prepareForDelete?: (object: T) => T;
};

/** One column of `kubectl get`. `priority` 1 shows with -o wide only. */
export type Column<T> = {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  readonly priority?: number;
  readonly format?: string;
  readonly description?: string;
  /** Null: there is nothing to show. */
  readonly cell: (object: T, nowMs: number) => string | number | boolean | null;
};

export type Kind<T extends KubeObject = KubeObject> = ResourceRef<T> & {
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly subresources: readonly Subresource[];
  /** Namespaces are not deleted all at once. Absent: a collection is. */
  readonly deletesCollection?: false;
  /** Absent: all. Only of kinds that are not stored. */
  readonly verbs?: readonly ('get' | 'list' | 'create')[];
  /** The type in api-schema.json; "" for a custom resource, whose type is `custom`. */
  readonly schema: string;
  readonly custom?: CustomType | undefined;
  /** Its definition is being deleted: nothing new is made. */
  readonly isEnding?: boolean | undefined;
  /** What metadata.name must be: a DNS subdomain, a DNS label, or what can be a part of a path. */
  readonly nameRule: 'subdomain' | 'label' | 'pathSegment';
  /** Paths that field selectors may use, beside metadata.name and metadata.namespace. */
  readonly selectableFields: readonly string[];
  /** metadata.generation counts changes of the spec. */
  readonly hasGeneration: boolean;
  /** A PUT makes what is not there: Kubernetes' AllowCreateOnUpdate. */
  readonly createsOnUpdate?: true | undefined;
  readonly strategy: Strategy<T>;
  readonly columns: readonly Column<T>[];
  readonly view?: View<T> | undefined;
  /** Where the scale subresource's figures are; absent: the kind has none. */
  readonly scale?: ScaleSource | undefined;
};

/** A question that is asked as an object, and the user who asks. */
export type ReviewContext = {
  readonly parts: ServerParts;
  readonly roles: Roles;
  readonly user: User;
  /** Of the URL. */
  readonly namespace?: string | undefined;
};
export type Review<T> = (object: T, context: ReviewContext) => T | Promise<T>;

export type CustomType = { readonly schema: Schema; readonly shape: Shape; readonly listKind: string };

/** Of the kinds that show the same objects, the one that stands for them. */
export function ownsObjects({ view, group, version }: Kind): boolean {
  return view === undefined || (view.of.group === group && view.of.version === version);
}

export type ScaleSource = {
  readonly specReplicas: readonly string[];
  readonly statusReplicas: readonly string[];
  /** The selector of the replicas, as text. */
  readonly selector: (object: KubeObject) => string | undefined;
};

/** The kind has no objects of its own: it shows another's in its own form, and what is written is the other's. */
export type View<T> = {
  readonly of: ResourceRef;
  readonly read: (stored: KubeObject) => T;
  readonly write: (object: T) => KubeObject;
};

/** An entry of the table: the strategy's object type is checked here and forgotten in the table. */
export function defineKind<T extends KubeObject>(kind: Kind<T>): Kind {
  // Safe: an object reaches a kind's strategy only after it was decoded by the kind's own schema.
  return kind as unknown as Kind;
}
