// metadata.managedFields of what is written here: kube/apply decides, this file knows kinds and requests.
import type { KubeObject } from '../client/resource-api.ts';
import type { ManagedFieldsEntry } from '../kube/api-types.ts';
import { afterUpdate, type Writer } from '../kube/apply/managed-fields.ts';
import { type Shape, structShape } from '../kube/apply/typed-value.ts';
import type { Kind } from './kind.ts';
import { withMeta } from './object-meta.ts';
import { groupVersion, type WriteRequest } from './request.ts';

export function shapeOf(kind: Kind): Shape {
  return kind.custom?.shape ?? structShape(kind.schema);
}

export function writerOf({ kind, part, fieldManager }: WriteRequest, nowMs: number): Writer {
  const hasStatus = kind.subresources.includes('status');
  return {
    manager: fieldManager,
    apiVersion: groupVersion(kind),
    subresource: part === 'main' ? undefined : part,
    untouched: part === 'status' ? ['f:metadata', 'f:spec'] : hasStatus ? ['f:status'] : [],
    nowMs,
  };
}

export function withManagedFields<T extends KubeObject>(
  object: T,
  entries: readonly ManagedFieldsEntry[] | undefined,
): T {
  if (entries !== undefined && entries.length > 0) return withMeta(object, { managedFields: entries });
  const { managedFields: _, ...metadata } = object.metadata ?? {};
  return { ...object, metadata };
}

/** A client may hand over fields, as kubectl does when a file moves to server-side apply, or let go of all of them. */
function givenEntries(wanted: KubeObject): readonly ManagedFieldsEntry[] | undefined {
  const given = wanted.metadata?.managedFields;
  if (given === undefined || given.length === 0) return undefined;
  return given.filter(({ manager, operation, fieldsV1 }) => manager && operation && fieldsV1 !== undefined);
}

/** `wanted` is what the client sent, `object` what comes of it; `current` is absent for a new object. */
export function trackedWrite(
  request: WriteRequest,
  write: {
    readonly object: KubeObject;
    readonly wanted: KubeObject;
    readonly current?: KubeObject | undefined;
  },
  nowMs: number,
): KubeObject {
  const { object, wanted, current } = write;
  const entries = givenEntries(wanted) ?? current?.metadata?.managedFields;
  const change = { old: current, value: object, shape: shapeOf(request.kind) };
  return withManagedFields(object, afterUpdate(entries, change, writerOf(request, nowMs)));
}
