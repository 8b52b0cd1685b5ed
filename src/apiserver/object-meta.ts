// The part of metadata that belongs to the server. Clients may send it; they cannot change it.

import type { Revision } from '../base/brand.ts';
import { timeText } from '../base/clock.ts';
import type { KubeObject } from '../client/resource-api.ts';
import type { ObjectMeta } from '../kube/api-types.ts';
import { newUid } from './request.ts';

const SYSTEM_FIELDS = [
  'uid',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'generation',
  'resourceVersion',
  'selfLink',
  'managedFields',
] as const;

function clientFields(meta: ObjectMeta): ObjectMeta {
  const kept = Object.entries(meta).filter(
    ([field]) => !(SYSTEM_FIELDS as readonly string[]).includes(field),
  );
  return Object.fromEntries(kept);
}

export function withMeta<T extends KubeObject>(object: T, change: Partial<ObjectMeta>): T {
  return { ...object, metadata: { ...object.metadata, ...change } };
}

export function stamped<T extends KubeObject>(object: T, revision: Revision): T {
  return withMeta(object, { resourceVersion: String(revision) });
}

/** The metadata of a new object. */
export function newMeta(
  meta: ObjectMeta,
  options: { readonly nowMs: number; readonly hasGeneration: boolean },
): ObjectMeta {
  return {
    ...clientFields(meta),
    uid: newUid(),
    creationTimestamp: timeText(options.nowMs),
    ...(options.hasGeneration ? { generation: 1 } : {}),
  };
}

/** The metadata of an update: the client's part from it, the server's from the object that is there. */
export function updatedMeta(meta: ObjectMeta, old: ObjectMeta): ObjectMeta {
  const kept = SYSTEM_FIELDS.flatMap((field) =>
    old[field] === undefined ? [] : [[field, old[field]] as const],
  );
  const { name, namespace } = old;
  return { ...clientFields(meta), name, ...(namespace ? { namespace } : {}), ...Object.fromEntries(kept) };
}
