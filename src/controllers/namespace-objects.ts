// Every namespace has its default ServiceAccount and the ConfigMap by which its pods know the API; whoever deletes or
// changes one finds it again as it was (kube-controller-manager's serviceaccount-controller and
// root-ca-certificate-publisher-controller).
import { isPodwrightError } from '../base/errors.ts';
import type { KubeObject } from '../client/resource-api.ts';
import { CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS } from '../client/resources.ts';
import type { ConfigMap, Namespace, ServiceAccount } from '../kube/api-types.ts';
import {
  DEFAULT_SERVICE_ACCOUNT,
  defaultServiceAccount,
  ROOT_CA_CONFIG_MAP,
  rootCaConfigMap,
} from '../kube/namespace-objects.ts';
import { type ControllerOptions, createController } from './controller.ts';
import { keyOf } from './object-key.ts';

export type NamespaceObjects = {
  readonly namespaces: ReadonlyMap<string, Namespace>;
  readonly accounts: ReadonlyMap<string, ServiceAccount>;
  readonly configMaps: ReadonlyMap<string, ConfigMap>;
};

export type NamespaceStep =
  | { readonly kind: 'createAccount'; readonly account: ServiceAccount }
  | { readonly kind: 'createConfigMap' | 'updateConfigMap'; readonly configMap: ConfigMap };

export function planNamespaceObjects(known: NamespaceObjects, ca: string): readonly NamespaceStep[] {
  const staying = [...known.namespaces.values()].filter(
    ({ metadata }) => metadata?.deletionTimestamp === undefined,
  );
  return staying.flatMap(({ metadata }): NamespaceStep[] => {
    const account = defaultServiceAccount(metadata?.name ?? '');
    const wanted = rootCaConfigMap(metadata?.name ?? '', ca);
    const found = known.configMaps.get(keyOf(wanted));
    const has = (map: ReadonlyMap<string, KubeObject>, object: KubeObject): boolean => map.has(keyOf(object));
    return [
      ...(has(known.accounts, account) ? [] : [{ kind: 'createAccount', account } as const]),
      ...(found === undefined ? [{ kind: 'createConfigMap', configMap: wanted } as const] : []),
      ...(found !== undefined && found.data?.['ca.crt'] !== ca
        ? [{ kind: 'updateConfigMap', configMap: { ...found, data: wanted.data } } as const]
        : []),
    ];
  });
}

/** Runs until the signal aborts. */
export function runNamespaceObjects(
  options: ControllerOptions & { readonly ca: string },
  signal: AbortSignal,
): Promise<void> {
  const { api, ca } = options;
  const { follow, run } = createController(options, signal);
  const named =
    (name: string) =>
    ({ metadata }: KubeObject): boolean =>
      metadata?.name === name;
  const known: NamespaceObjects = {
    namespaces: follow(NAMESPACES),
    accounts: follow(SERVICE_ACCOUNTS, { isRelevant: named(DEFAULT_SERVICE_ACCOUNT) }),
    configMaps: follow(CONFIG_MAPS, { isRelevant: named(ROOT_CA_CONFIG_MAP) }),
  };
  const carryOut = async (step: NamespaceStep): Promise<unknown> => {
    switch (step.kind) {
      case 'createAccount':
        return api.create(SERVICE_ACCOUNTS, step.account);
      case 'createConfigMap':
        return api.create(CONFIG_MAPS, step.configMap);
      case 'updateConfigMap':
        return api.update(CONFIG_MAPS, step.configMap);
    }
  };
  return run({
    name: "the namespaces' own objects",
    plan: () => ({ steps: planNamespaceObjects(known, ca) }),
    perform: async (step) => {
      try {
        await carryOut(step);
      } catch (error) {
        // The namespace is going, which the watch has not told yet.
        if (!isPodwrightError(error, 'Forbidden')) throw error;
      }
    },
  });
}
