// Puts the default roles and bindings into the store at each start. As in Kubernetes, what is missing of an object is added
// and what somebody added stays, unless its annotation says to leave it alone.
import { isDeepStrictEqual } from 'node:util';
import { isPodwrightError } from '../../base/errors.ts';
import type { KubeObject, ResourceApi, ResourceRef } from '../../client/resource-api.ts';
import { CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES } from '../../client/resources.ts';
import type { ClusterRole, ClusterRoleBinding } from '../../kube/api-types.ts';
import { AUTOUPDATE, DEFAULT_BINDINGS, DEFAULT_ROLES } from './default-roles.ts';

function union<T>(found: readonly T[] = [], wanted: readonly T[] = []): readonly T[] {
  return [...found, ...wanted.filter((one) => !found.some((other) => isDeepStrictEqual(one, other)))];
}

async function ensure<T extends KubeObject>(
  api: ResourceApi,
  ref: ResourceRef<T>,
  wanted: T,
  merged: (found: T) => T,
): Promise<void> {
  try {
    const found = await api.get(ref, { name: wanted.metadata?.name ?? '' });
    if (found.metadata?.annotations?.[AUTOUPDATE] === 'false') return;
    const next = merged(found);
    if (!isDeepStrictEqual(next, found)) await api.update(ref, next);
  } catch (error) {
    if (!isPodwrightError(error, 'NotFound')) throw error;
    await api.create(ref, wanted);
  }
}

const mergedRole =
  (wanted: ClusterRole) =>
  (found: ClusterRole): ClusterRole =>
    wanted.aggregationRule === undefined ? { ...found, rules: union(found.rules, wanted.rules) } : found;

const mergedBinding =
  (wanted: ClusterRoleBinding) =>
  (found: ClusterRoleBinding): ClusterRoleBinding => ({
    ...found,
    subjects: union(found.subjects, wanted.subjects),
  });

export async function ensureSystemRoles(api: ResourceApi): Promise<void> {
  await Promise.all([
    ...DEFAULT_ROLES.map((role) => ensure(api, CLUSTER_ROLES, role, mergedRole(role))),
    ...DEFAULT_BINDINGS.map((one) => ensure(api, CLUSTER_ROLE_BINDINGS, one, mergedBinding(one))),
  ]);
}
