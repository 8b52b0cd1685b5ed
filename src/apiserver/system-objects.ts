// What every cluster has from its first moment: the system namespaces, and in each namespace its own objects. Who deletes
// one of those gets it again from controllers/namespace-objects.ts.
import { isPodwrightError } from '../base/errors.ts';
import type { ResourceApi } from '../client/resource-api.ts';
import { CONFIG_MAPS, NAMESPACES, PRIORITY_CLASSES, SERVICE_ACCOUNTS } from '../client/resources.ts';
import { defaultServiceAccount, rootCaConfigMap } from '../kube/namespace-objects.ts';
import { SYSTEM_PRIORITY_CLASSES } from '../kube/priority-classes.ts';

const SYSTEM_NAMESPACES = ['default', 'kube-node-lease', 'kube-public', 'kube-system'];

/** Making what is there already, or in a namespace that is going, is no error. */
async function quietly(made: Promise<unknown>): Promise<void> {
  try {
    await made;
  } catch (error) {
    if (!isPodwrightError(error, 'AlreadyExists', 'Forbidden', 'NotFound')) throw error;
  }
}

/** So that a pod can follow its namespace at once. */
export async function ensureNamespaceObjects(api: ResourceApi, namespace: string, ca: string): Promise<void> {
  await Promise.all([
    quietly(api.create(SERVICE_ACCOUNTS, defaultServiceAccount(namespace))),
    quietly(api.create(CONFIG_MAPS, rootCaConfigMap(namespace, ca))),
  ]);
}

export async function ensureSystemObjects(api: ResourceApi, ca: string): Promise<void> {
  for (const one of SYSTEM_PRIORITY_CLASSES) await quietly(api.create(PRIORITY_CLASSES, one));
  for (const name of SYSTEM_NAMESPACES) await quietly(api.create(NAMESPACES, { metadata: { name } }));
  const { items } = await api.list(NAMESPACES);
  for (const { metadata } of items) await ensureNamespaceObjects(api, metadata?.name ?? '', ca);
}
