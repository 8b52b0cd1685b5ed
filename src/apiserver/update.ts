// PUT and PATCH: the new object is decided on the newest one inside the store's write, so that no patch is ever lost to a
// race; only a client that names a resourceVersion can get a Conflict.
import { isDeepStrictEqual } from 'node:util';
import { isPodwrightError, PodwrightError } from '../base/errors.ts';
import type { KubeObject, PatchType } from '../client/resource-api.ts';
import { invalidError } from '../kube/field-error.ts';
import { applyJsonPatch } from '../kube/patch/json-patch.ts';
import { applyMergePatch } from '../kube/patch/merge-patch.ts';
import { applyStrategicMergePatch } from '../kube/patch/strategic-merge-patch.ts';
import type { Decision } from '../store/store.ts';
import { validateWrite } from './admission/admission.ts';
import { badRequest, conflictError, notFoundError } from './api-error.ts';
import { checkObject, namespaceOf, requireCreate, storeNew } from './create.ts';
import type { Kind } from './kind.ts';
import { kindStore } from './kind-store.ts';
import { trackedWrite } from './managed-fields.ts';
import { stamped, updatedMeta, withMeta } from './object-meta.ts';
import { decodeBody, type ServerParts, type WriteRequest } from './request.ts';

type Parts = { readonly [field: string]: unknown };

const MODIFIED =
  'the object has been modified; please apply your changes to the latest version and try again';

function checkName({ name = '' }: WriteRequest, own: unknown): void {
  if (typeof own !== 'string' || own === '' || own === name) return;
  throw badRequest(`the name of the object (${own}) does not match the name on the URL (${name})`);
}

function checkIdentity(request: WriteRequest, wanted: KubeObject, current: KubeObject): void {
  const { kind, name = '' } = request;
  const { name: own, uid, resourceVersion } = wanted.metadata ?? {};
  checkName(request, own);
  namespaceOf(request, wanted);
  if (uid !== undefined && uid !== '' && uid !== current.metadata?.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata?.uid}`;
    throw conflictError(kind, name, why);
  }
  if (resourceVersion && resourceVersion !== '0' && resourceVersion !== current.metadata?.resourceVersion) {
    throw conflictError(kind, name, MODIFIED);
  }
}

/** The status subresource changes nothing but status; the main resource everything but status. */
function mainUpdate(kind: Kind, wanted: KubeObject, current: KubeObject): KubeObject {
  const { status: _, ...rest } = wanted as KubeObject & Parts;
  const { status } = current as KubeObject & Parts;
  const keepsStatus = kind.subresources.includes('status') && status !== undefined;
  const { defaults, prepareForUpdate } = kind.strategy;
  const object = {
    ...(kind.subresources.includes('status') ? rest : wanted),
    metadata: updatedMeta(wanted.metadata ?? {}, current.metadata ?? {}),
    ...(keepsStatus ? { status } : {}),
  } as KubeObject;
  const prepared = prepareForUpdate?.(object, current) ?? object;
  return defaults === undefined ? prepared : defaults(prepared);
}

function statusUpdate(wanted: KubeObject, current: KubeObject): KubeObject {
  const { status } = wanted as KubeObject & Parts;
  return { ...current, ...(status === undefined ? {} : { status }) } as KubeObject;
}

function partUpdate({ kind, part }: WriteRequest, wanted: KubeObject, current: KubeObject): KubeObject {
  if (part === 'status') return statusUpdate(wanted, current);
  if (part === 'main' || part === 'scale') return mainUpdate(kind, wanted, current);
  const { parts, defaults } = kind.strategy;
  const object = parts?.[part]?.take(wanted, current) ?? current;
  return defaults === undefined ? object : defaults(object);
}

function checkUpdate({ kind, part }: WriteRequest, object: KubeObject, current: KubeObject): void {
  checkObject(kind, object);
  const { validateUpdate, parts } = kind.strategy;
  const validate =
    part === 'main' || part === 'status' || part === 'scale' ? validateUpdate : parts?.[part]?.validateUpdate;
  const errors = validate?.(object, current) ?? [];
  if (errors.length > 0) throw invalidError({ ...kind, name: object.metadata?.name ?? '' }, errors);
}

const NO_STRATEGIC_MERGE =
  'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml';

/** What generation counts the changes of: the spec, and of a custom resource everything but metadata and status. */
function wantsOf(kind: Kind, object: KubeObject): unknown {
  const { metadata: _, status, spec, apiVersion: __, ...rest } = object as KubeObject & Parts;
  if (kind.custom === undefined) return spec;
  return kind.subresources.includes('status') ? { spec, ...rest } : { spec, status, ...rest };
}

function withGeneration(kind: Kind, object: KubeObject, current: KubeObject): KubeObject {
  if (!kind.hasGeneration || isDeepStrictEqual(wantsOf(kind, object), wantsOf(kind, current))) return object;
  return withMeta(object, { generation: (current.metadata?.generation ?? 0) + 1 });
}

/** The last finalizer was taken from an object that waits for nothing else. */
function isGone(kind: Kind, object: KubeObject): boolean {
  const { metadata } = object;
  return (
    kind.strategy.isHeld?.(object) !== true &&
    metadata?.deletionTimestamp !== undefined &&
    (metadata.finalizers ?? []).length === 0 &&
    (metadata.deletionGracePeriodSeconds ?? 0) === 0
  );
}

export type Write = {
  readonly object: KubeObject;
  readonly wanted: KubeObject;
  readonly current: KubeObject;
};

/**
 * @param produce what the client wants, made from the newest object; what it returns is still untrusted.
 * @param track the object with managedFields as this write leaves them; called right after `produce`.
 */
export async function changeObject(
  parts: ServerParts,
  request: WriteRequest,
  produce: (current: KubeObject) => unknown,
  track: (write: Write) => KubeObject = (write) => trackedWrite(request, write, parts.clock.nowMs()),
): Promise<KubeObject> {
  const { kind, namespace, name = '' } = request;
  const store = kindStore(parts.store, kind);
  const key = { namespace, name };
  const decide = (
    current: KubeObject | undefined,
    next: Parameters<typeof stamped>[1],
  ): Decision<KubeObject> => {
    if (current === undefined) throw notFoundError(kind, name);
    const wanted = decodeBody(request, produce(current));
    checkIdentity(request, wanted, current);
    const object = track({ object: partUpdate(request, wanted, current), wanted, current });
    if (isDeepStrictEqual(object, current)) return { verb: 'keep' };
    if (request.part !== 'status') {
      checkUpdate(request, object, current);
      validateWrite(parts.admission, { ...request, object, old: current });
      kind.strategy.warnings?.(object).forEach(request.warn);
    }
    const value = stamped(withGeneration(kind, object, current), next);
    const wasHeld = current.metadata?.finalizers !== undefined || kind.strategy.isHeld?.(current) === true;
    return { verb: wasHeld && isGone(kind, value) ? 'remove' : 'put', value };
  };
  if (request.dryRun) {
    const decision = decide(store.get(key), parts.store.revision);
    return decision.verb === 'keep' ? (store.get(key) as KubeObject) : decision.value;
  }
  return (await store.write(key, decide)) as KubeObject;
}

/** What became of a PUT or an apply: both may make the object. */
export type Written = { readonly object: KubeObject; readonly isNew: boolean };

/** A PUT for what is not there. @throws Forbidden, Conflict, AlreadyExists when somebody else was quicker */
async function createByUpdate(parts: ServerParts, request: WriteRequest, body: unknown): Promise<Written> {
  const { kind, name = '' } = request;
  const wanted = decodeBody(request, body);
  const { uid } = wanted.metadata ?? {};
  // Who knows its uid means the one that was there.
  if (uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: `;
    throw conflictError(kind, name, why);
  }
  requireCreate(parts, request);
  const object = await storeNew(parts, request, { ...wanted, metadata: { ...wanted.metadata, name } });
  return { object, isNew: true };
}

export async function updateObject(
  parts: ServerParts,
  request: WriteRequest,
  body: unknown,
): Promise<Written> {
  // Before it is known whether there is such an object: the request contradicts itself.
  checkName(request, (body as Partial<KubeObject> | null | undefined)?.metadata?.name);
  const { kind, namespace, name = '', part } = request;
  const isThere = kindStore(parts.store, kind).get({ namespace, name }) !== undefined;
  if (!isThere && part === 'main' && kind.createsOnUpdate === true) {
    try {
      return await createByUpdate(parts, request, body);
    } catch (error) {
      if (!isPodwrightError(error, 'AlreadyExists')) throw error;
    }
  }
  return { object: await changeObject(parts, request, () => body), isNew: false };
}

export type Patch = {
  readonly type: Exclude<PatchType, 'application/apply-patch+yaml'>;
  readonly body: unknown;
};

/** The document, which is of the kind, as the patch leaves it. @throws BadRequest, Invalid */
export function applyPatch(
  kind: Pick<Kind, 'schema' | 'custom'>,
  current: object,
  { type, body }: Patch,
): unknown {
  switch (type) {
    case 'application/json-patch+json':
      return applyJsonPatch(current, body);
    case 'application/merge-patch+json':
      return applyMergePatch(current, body);
    case 'application/strategic-merge-patch+json':
      if (kind.custom !== undefined) throw new PodwrightError('UnsupportedMediaType', NO_STRATEGIC_MERGE);
      return applyStrategicMergePatch(current, body, kind.schema);
  }
}

export function patchObject(parts: ServerParts, request: WriteRequest, patch: Patch): Promise<KubeObject> {
  return changeObject(parts, request, (current) => {
    return applyPatch(request.kind, current, patch);
  });
}
