// PATCH with application/apply-patch+yaml: server-side apply. The object is made when it is not there.
import { isPodwrightError, PodwrightError } from '../base/errors.ts';
import type { KubeObject } from '../client/resource-api.ts';
import type { ManagedFieldsEntry } from '../kube/api-types.ts';
import { pathTexts } from '../kube/apply/field-set.ts';
import { type Applied, applyConfiguration } from '../kube/apply/managed-fields.ts';
import { fieldsOf } from '../kube/apply/typed-value.ts';
import { isJsonObject } from '../kube/decode.ts';
import { badRequest, notFoundError } from './api-error.ts';
import { requireCreate, storeNew } from './create.ts';
import { decodeType } from './decode-type.ts';
import type { Kind } from './kind.ts';
import { kindStore } from './kind-store.ts';
import { shapeOf, withManagedFields, writerOf } from './managed-fields.ts';
import { decodeBody, type ServerParts, type WriteRequest } from './request.ts';
import { changeObject, type Written } from './update.ts';

export const APPLY_PATCH = 'application/apply-patch+yaml';

export type Apply = { readonly body: unknown; readonly force: boolean };

/** The configuration: decoded, so that unknown fields are treated as the request wants, but without defaults. */
function configurationOf(request: WriteRequest, body: unknown): KubeObject {
  if (!isJsonObject(body)) throw badRequest('the apply patch is not an object');
  for (const field of ['apiVersion', 'kind']) {
    if (typeof body[field] !== 'string') throw badRequest(`the apply patch has no ${field}`);
  }
  const config = decodeBody(request, body);
  if (config.metadata?.managedFields !== undefined) throw badRequest('metadata.managedFields must be nil');
  const { name = request.name } = config.metadata ?? {};
  if (name !== request.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${request.name})`);
  }
  return config;
}

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** The fields, as texts, of what kubectl's client-side apply wrote last, which it leaves in an annotation. */
function lastApplied(kind: Kind, live: unknown): ReadonlySet<string> {
  const text = (live as KubeObject).metadata?.annotations?.[LAST_APPLIED];
  if (text === undefined) return new Set();
  try {
    const config = decodeType(kind, JSON.parse(text));
    return new Set(config.ok ? pathTexts(fieldsOf(config.object, shapeOf(kind))) : []);
  } catch {
    // Whoever wrote the annotation: it is no configuration, so it gives nothing away.
    return new Set();
  }
}

/** kubectl that moves an object from client-side to server-side apply meets no conflict with its own former self. */
function forgivingApply(
  request: WriteRequest,
  live: Parameters<typeof applyConfiguration>[0],
  { config, force }: { readonly config: KubeObject; readonly force: boolean },
  nowMs: number,
): Applied {
  const { kind, fieldManager } = request;
  const shape = shapeOf(kind);
  const writer = writerOf(request, nowMs);
  try {
    return applyConfiguration(live, { config, shape, force }, writer);
  } catch (error) {
    if (fieldManager !== 'kubectl' || !isPodwrightError(error, 'Conflict')) throw error;
    const own = lastApplied(kind, live.value);
    const isOwn = error.details.causes?.every(({ field }) => field !== undefined && own.has(field)) === true;
    if (!isOwn) throw error;
    return applyConfiguration(live, { config, shape, force: true }, writer);
  }
}

/** @throws Conflict unless forced. */
export async function applyObject(
  parts: ServerParts,
  request: WriteRequest,
  { body, force }: Apply,
): Promise<Written> {
  const { kind, namespace, name = '' } = request;
  const config = configurationOf(request, body);
  const nowMs = parts.clock.nowMs();
  let entries: readonly ManagedFieldsEntry[] = [];
  const produce = (current: KubeObject | undefined): unknown => {
    const live = { value: current ?? {}, entries: current?.metadata?.managedFields };
    const applied = forgivingApply(request, live, { config, force }, nowMs);
    entries = applied.entries;
    return applied.value;
  };
  if (kindStore(parts.store, kind).get({ namespace, name }) === undefined) {
    if (request.part !== 'main') throw notFoundError(kind, name);
    if (config.metadata?.uid) {
      const why = `uid mismatch: the provided object specified uid ${config.metadata.uid}, and no existing object was found`;
      throw new PodwrightError('Conflict', why);
    }
    requireCreate(parts, request);
    const given = decodeBody(request, produce(undefined));
    const named = { ...given, metadata: { ...given.metadata, name } };
    const object = await storeNew(parts, request, named, (made) => withManagedFields(made, entries));
    return { object, isNew: true };
  }
  const object = await changeObject(parts, request, produce, (write) =>
    withManagedFields(write.object, entries),
  );
  return { object, isNew: false };
}
