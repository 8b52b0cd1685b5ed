// <kind>/<name>/scale: how many replicas, whatever the kind (autoscaling/v1 Scale). A write of it is an update of the kind's
// object itself: the same conflicts, rules, generation and managedFields.
import type { KubeObject } from '../client/resource-api.ts';
import type { Scale } from '../kube/api-types.ts';
import { isJsonObject } from '../kube/decode.ts';
import { invalid, invalidError } from '../kube/field-error.ts';
import { badRequest, qualifiedPlural } from './api-error.ts';
import type { Kind, ScaleSource } from './kind.ts';
import { getObject } from './read.ts';
import { decodeAs, type ServerParts, type WriteRequest } from './request.ts';
import { applyPatch, changeObject, type Patch } from './update.ts';

const SCALE = { group: 'autoscaling', version: 'v1', kind: 'Scale', schema: 'Scale' } as const;

function valueAt(object: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, field) => (isJsonObject(value) ? value[field] : undefined), object);
}

function withValueAt(object: unknown, [field, ...rest]: readonly string[], value: unknown): unknown {
  if (field === undefined) return value;
  const fields = isJsonObject(object) ? object : {};
  return { ...fields, [field]: withValueAt(fields[field], rest, value) };
}

function sourceOf(kind: Kind): ScaleSource {
  if (kind.scale !== undefined) return kind.scale;
  throw badRequest(`${qualifiedPlural(kind)} have no scale`);
}

export function scaleOf(kind: Kind, object: KubeObject): Scale {
  const { specReplicas, statusReplicas, selector } = sourceOf(kind);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata ?? {};
  const number = (path: readonly string[]): number => Number(valueAt(object, path) ?? 0);
  const text = selector(object);
  return {
    kind: SCALE.kind,
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: number(specReplicas) },
    status: { replicas: number(statusReplicas), ...(text ? { selector: text } : {}) },
  };
}

/** The object scaled as the client says; its uid and resourceVersion are the client's preconditions. */
function scaled(request: WriteRequest, current: KubeObject, body: unknown): unknown {
  const { spec, metadata = {} } = decodeAs(request, SCALE, body) as Scale;
  const { replicas = 0 } = spec ?? {};
  if (replicas < 0) {
    const errors = [invalid('spec.replicas', replicas, 'must be greater than or equal to 0')];
    throw invalidError({ ...SCALE, name: request.name ?? '' }, errors);
  }
  const { name, namespace, uid, resourceVersion } = metadata;
  const identity = { name, namespace, uid, resourceVersion };
  const object = withValueAt(current, sourceOf(request.kind).specReplicas, replicas);
  return { ...(object as KubeObject), metadata: { ...current.metadata, ...identity } };
}

export function getScale(parts: ServerParts, request: WriteRequest): Scale {
  const { kind, namespace, name = '' } = request;
  return scaleOf(kind, getObject(parts, kind, { namespace, name }));
}

export async function updateScale(parts: ServerParts, request: WriteRequest, body: unknown): Promise<Scale> {
  return scaleOf(
    request.kind,
    await changeObject(parts, request, (current) => scaled(request, current, body)),
  );
}

export async function patchScale(parts: ServerParts, request: WriteRequest, patch: Patch): Promise<Scale> {
  const object = await changeObject(parts, request, (current) =>
    scaled(request, current, applyPatch(SCALE, scaleOf(request.kind, current), patch)),
  );
  return scaleOf(request.kind, object);
}
