// POST: decode, name, default, admit, validate, store.
import { isPodwrightError, PodwrightError } from '../base/errors.ts';
import type { KubeObject } from '../client/resource-api.ts';
import type { Namespace, ObjectMeta } from '../kube/api-types.ts';
import { invalidError } from '../kube/field-error.ts';
import { dnsLabel, dnsSubdomain, pathSegment } from '../kube/validation/names.ts';
import { validateObjectMeta } from '../kube/validation/object-meta.ts';
import { requireAllowed } from './access/authorizer.ts';
import { mutateNew, validateWrite } from './admission/admission.ts';
import { alreadyExistsError, badRequest, forbiddenError, notFoundError } from './api-error.ts';
import { generatedName } from './generated-name.ts';
import type { Kind } from './kind.ts';
import { kindStore } from './kind-store.ts';
import { trackedWrite } from './managed-fields.ts';
import { newMeta, stamped } from './object-meta.ts';
import { decodeBody, type ServerParts, type WriteRequest } from './request.ts';
import { storageKey } from './storage-key.ts';

/** The namespace of the URL and that of the object must agree. @throws BadRequest */
export function namespaceOf(request: WriteRequest, object: KubeObject): string | undefined {
  if (!request.kind.namespaced) return undefined;
  const own = object.metadata?.namespace || undefined;
  if (own !== undefined && request.namespace !== undefined && own !== request.namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  return request.namespace ?? own ?? 'default';
}

const NAME_RULES = { subdomain: dnsSubdomain, label: dnsLabel, pathSegment } as const;

/** @throws Invalid with everything that is wrong with the object. */
export function checkObject(kind: Kind, object: KubeObject): void {
  const rules = { name: NAME_RULES[kind.nameRule], namespaced: kind.namespaced };
  const errors = [...validateObjectMeta(object.metadata ?? {}, rules), ...kind.strategy.validate(object)];
  if (errors.length > 0) throw invalidError({ ...kind, name: object.metadata?.name ?? '' }, errors);
}

/** What a PATCH or a PUT makes needs the right of a POST. @throws Forbidden */
export function requireCreate({ admission }: ServerParts, request: WriteRequest): void {
  const { user, namespace, name } = request;
  const { group, plural: resource } = request.kind;
  requireAllowed(admission.roles, user, {
    type: 'resource',
    verb: 'create',
    group,
    resource,
    namespace,
    name,
  });
}

/** Objects go into namespaces that are there and stay. */
function checkNamespace(parts: ServerParts, kind: Kind, meta: ObjectMeta): void {
  if (!kind.namespaced || meta.namespace === undefined) return;
  const namespaces = { group: '', plural: 'namespaces', namespaced: false };
  const namespace = parts.store.get(storageKey(namespaces, { name: meta.namespace })) as
    | Namespace
    | undefined;
  if (namespace === undefined) throw notFoundError(namespaces, meta.namespace);
  if (namespace.metadata?.deletionTimestamp !== undefined) {
    const why = `unable to create new content in namespace ${meta.namespace} because it is being terminated`;
    throw forbiddenError(kind, meta.name ?? '', why);
  }
}

export async function createObject(
  parts: ServerParts,
  request: WriteRequest,
  body: unknown,
): Promise<KubeObject> {
  const object = decodeBody(request, body);
  const { kind, user, namespace } = request;
  const { review } = kind.strategy;
  if (review === undefined) return storeNamed(parts, request, object);
  // Go has no absent struct: who asks nothing is told what is missing.
  const asked = { spec: {}, ...object };
  return review(asked, { parts, roles: parts.admission.roles, user, namespace });
}

/** A made-up name that is taken is made up again (KEP-4420), so often. */
const NAME_TRIES = 8;

async function storeNamed(
  parts: ServerParts,
  request: WriteRequest,
  object: KubeObject,
): Promise<KubeObject> {
  const { name, generateName } = object.metadata ?? {};
  for (let tries = name || !generateName ? NAME_TRIES : 1; ; tries++) {
    try {
      return await storeNew(parts, request, object);
    } catch (error) {
      if (tries >= NAME_TRIES || !isPodwrightError(error, 'AlreadyExists')) throw error;
    }
  }
}

/** `track` says who owns the fields of the new object. */
export async function storeNew(
  parts: ServerParts,
  request: WriteRequest,
  given: KubeObject,
  track: (object: KubeObject, nowMs: number) => KubeObject = (object, nowMs) =>
    trackedWrite(request, { object, wanted: {} }, nowMs),
): Promise<KubeObject> {
  const { kind } = request;
  if (kind.isEnding === true) {
    const why = 'create not allowed while custom resource definition is terminating';
    throw new PodwrightError('MethodNotAllowed', why);
  }
  const namespace = namespaceOf(request, given);
  const { name: givenName, generateName, namespace: ownNamespace, ...others } = given.metadata ?? {};
  const name = givenName || (generateName ? generatedName(generateName) : undefined);
  const meta: ObjectMeta = {
    ...others,
    ...(generateName ? { generateName } : {}),
    ...(name === undefined ? {} : { name }),
    // A cluster-wide object may say namespace "" but no more; validation tells it so.
    ...((namespace ?? ownNamespace) ? { namespace: namespace ?? ownNamespace } : {}),
  };
  const { defaults = same, prepareForCreate = same, admit, warnings } = kind.strategy;
  const nowMs = parts.clock.nowMs();
  const metadata = newMeta(meta, { nowMs, hasGeneration: kind.hasGeneration });
  const prepared = prepareForCreate(defaults({ ...given, metadata }));
  checkObject(kind, prepared);
  checkNamespace(parts, kind, meta);
  // What admission adds is valid, and nobody's field.
  const object = mutateNew(parts.admission, { ...request, object: track(prepared, nowMs) });
  warnings?.(object).forEach(request.warn);
  const store = kindStore(parts.store, kind);
  const key = { namespace, name: meta.name ?? '' };
  const check = (current: KubeObject | undefined): void => {
    checkNamespace(parts, kind, meta);
    admit?.(object, parts.admission);
    validateWrite(parts.admission, { ...request, object });
    if (current !== undefined) throw alreadyExistsError(kind, meta.name ?? '');
  };
  if (request.dryRun) {
    check(store.get(key));
    return object;
  }
  const write = () =>
    store.write(key, (current, next) => {
      check(current);
      return { verb: 'put', value: stamped(object, next) };
    });
  // What a quota counts must be in the store before the next is counted.
  const isCounted = namespace !== undefined && parts.admission.list('resourcequotas', namespace).length > 0;
  const created = await (isCounted ? parts.turns.take(namespace, write) : write());
  await parts.onCreated(kind, object);
  return created ?? object;
}

const same = (object: KubeObject): KubeObject => object;
