// DELETE: at once, or with a grace period that only ever shrinks, or held up by finalizers (registry/rest/delete.go).
import { timeText } from '../base/clock.ts';
import type { DeleteOptions, KubeObject } from '../client/resource-api.ts';
import type { Decision } from '../store/store.ts';
import { conflictError, notFoundError } from './api-error.ts';
import type { Kind } from './kind.ts';
import { kindStore } from './kind-store.ts';
import { stamped, withMeta } from './object-meta.ts';
import { withPropagation } from './propagation.ts';
import type { ServerParts } from './request.ts';

export type DeleteRequest = {
  readonly kind: Kind;
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly dryRun: boolean;
  readonly options: DeleteOptions;
};

function checkPreconditions({ kind, name, options }: DeleteRequest, current: KubeObject): void {
  const { uid, resourceVersion } = options.preconditions ?? {};
  const check = (what: string, wanted: string | undefined, found: string | undefined): void => {
    if (wanted === undefined || wanted === found) return;
    throw conflictError(
      kind,
      name,
      `Precondition failed: ${what} in precondition: ${wanted}, ${what} in object meta: ${found}`,
    );
  };
  check('UID', uid, current.metadata?.uid);
  check('ResourceVersion', resourceVersion, current.metadata?.resourceVersion);
}

/** The object with its deletion announced; undefined when what is announced already is at least as soon. */
function announced(current: KubeObject, graceSeconds: number, nowMs: number): KubeObject | undefined {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, generation } = current.metadata ?? {};
  if (deletionTimestamp === undefined) {
    return withMeta(current, {
      deletionTimestamp: timeText(nowMs + graceSeconds * 1000),
      deletionGracePeriodSeconds: graceSeconds,
      ...(generation === undefined ? {} : { generation: generation + 1 }),
    });
  }
  if (graceSeconds >= deletionGracePeriodSeconds) return undefined;
  // The grace counts from when the deletion was first asked for.
  const askedMs = Date.parse(deletionTimestamp) - deletionGracePeriodSeconds * 1000;
  return withMeta(current, {
    deletionTimestamp: timeText(askedMs + graceSeconds * 1000),
    deletionGracePeriodSeconds: graceSeconds,
  });
}

function decideDelete(request: DeleteRequest, current: KubeObject, nowMs: number): Decision<KubeObject> {
  checkPreconditions(request, current);
  const { kind, options } = request;
  const isDeleting = current.metadata?.deletionTimestamp !== undefined;
  // Asking again without a grace period asks for nothing new.
  if (
    isDeleting &&
    options.gracePeriodSeconds === undefined &&
    (current.metadata?.deletionGracePeriodSeconds ?? 0) > 0
  ) {
    return { verb: 'keep' };
  }
  const graceSeconds = kind.strategy.graceSeconds?.(current, options.gracePeriodSeconds) ?? 0;
  const object = withPropagation(kind, current, options);
  const isHeld = (object.metadata?.finalizers ?? []).length > 0 || kind.strategy.isHeld?.(object) === true;
  if (graceSeconds === 0 && !isHeld) return { verb: 'remove', value: object };
  const value = announced(object, graceSeconds, nowMs) ?? object;
  if (value === current) return { verb: 'keep' };
  return { verb: 'put', value: kind.strategy.prepareForDelete?.(value) ?? value };
}

/** Resolves with the object as it is after the call: still there (terminating) or as it last was. */
export async function deleteObject(parts: ServerParts, request: DeleteRequest): Promise<KubeObject> {
  const { kind, namespace, name } = request;
  const store = kindStore(parts.store, kind);
  const key = { namespace, name };
  const decide = (
    current: KubeObject | undefined,
    next: Parameters<typeof stamped>[1],
  ): Decision<KubeObject> => {
    if (current === undefined) throw notFoundError(kind, name);
    const decision = decideDelete(request, current, parts.clock.nowMs());
    return decision.verb === 'keep' ? decision : { ...decision, value: stamped(decision.value, next) };
  };
  if (request.dryRun) {
    const current = store.get(key);
    const decision = decide(current, parts.store.revision);
    return decision.verb === 'keep' ? (current as KubeObject) : decision.value;
  }
  return (await store.write(key, decide)) as KubeObject;
}
