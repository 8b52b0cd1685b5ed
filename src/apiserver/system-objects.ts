// What every cluster has from its first moment: the system namespaces, and a default ServiceAccount in each namespace.
import { isPodwrightError } from '../base/errors.ts';
import type { ResourceApi } from '../client/resource-api.ts';
import { NAMESPACES, SERVICE_ACCOUNTS } from '../client/resources.ts';

const SYSTEM_NAMESPACES = ['default', 'kube-node-lease', 'kube-public', 'kube-system'];

/** Making what is there already, or in a namespace that is going, is no error. */
async function quietly(made: Promise<unknown>): Promise<void> {
  try {
    await made;
  } catch (error) {
    if (!isPodwrightError(error, 'AlreadyExists', 'Forbidden', 'NotFound')) throw error;
  }
}

export function ensureDefaultServiceAccount(api: ResourceApi, namespace: string): Promise<void> {
  return quietly(api.create(SERVICE_ACCOUNTS, { metadata: { name: 'default', namespace } }));
}

export async function ensureSystemObjects(api: ResourceApi): Promise<void> {
  for (const name of SYSTEM_NAMESPACES) await quietly(api.create(NAMESPACES, { metadata: { name } }));
  const { items } = await api.list(NAMESPACES);
  for (const { metadata } of items) await ensureDefaultServiceAccount(api, metadata?.name ?? '');
}
