// Typed references to the kinds the engine itself works with.
import type {
  Binding,
  ClusterRole,
  ClusterRoleBinding,
  ConfigMap,
  CSIDriver,
  CustomResourceDefinition,
  EndpointSlice,
  Endpoints,
  Event,
  Namespace,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  PodDisruptionBudget,
  PodGroup,
  PriorityClass,
  ResourceQuota,
  RuntimeClass,
  Secret,
  Service,
  ServiceAccount,
  StorageClass,
  TokenRequest,
} from '../kube/api-types.ts';
import type { KubeObject, ResourceRef } from './resource-api.ts';

function core<T extends KubeObject>(plural: string, kind: string, namespaced: boolean): ResourceRef<T> {
  return { group: '', version: 'v1', plural, kind, namespaced };
}

export const PODS = core<Pod>('pods', 'Pod', true);
export const NODES = core<Node>('nodes', 'Node', false);
export const NAMESPACES = core<Namespace>('namespaces', 'Namespace', false);
export const CONFIG_MAPS = core<ConfigMap>('configmaps', 'ConfigMap', true);
export const SECRETS = core<Secret>('secrets', 'Secret', true);
export const SERVICES = core<Service>('services', 'Service', true);
export const ENDPOINTS = core<Endpoints>('endpoints', 'Endpoints', true);
export const ENDPOINT_SLICES: ResourceRef<EndpointSlice> = {
  group: 'discovery.k8s.io',
  version: 'v1',
  plural: 'endpointslices',
  kind: 'EndpointSlice',
  namespaced: true,
};
export const EVENTS = core<Event>('events', 'Event', true);
export const SERVICE_ACCOUNTS = core<ServiceAccount>('serviceaccounts', 'ServiceAccount', true);
export const PERSISTENT_VOLUMES = core<PersistentVolume>('persistentvolumes', 'PersistentVolume', false);
export const PERSISTENT_VOLUME_CLAIMS = core<PersistentVolumeClaim>(
  'persistentvolumeclaims',
  'PersistentVolumeClaim',
  true,
);

const storage = { group: 'storage.k8s.io', version: 'v1', namespaced: false } as const;
export const STORAGE_CLASSES: ResourceRef<StorageClass> = {
  ...storage,
  plural: 'storageclasses',
  kind: 'StorageClass',
};
export const CSI_DRIVERS: ResourceRef<CSIDriver> = { ...storage, plural: 'csidrivers', kind: 'CSIDriver' };
export const POD_GROUPS: ResourceRef<PodGroup> = {
  group: 'scheduling.k8s.io',
  version: 'v1alpha2',
  plural: 'podgroups',
  kind: 'PodGroup',
  namespaced: true,
};
export const RUNTIME_CLASSES: ResourceRef<RuntimeClass> = {
  group: 'node.k8s.io',
  version: 'v1',
  plural: 'runtimeclasses',
  kind: 'RuntimeClass',
  namespaced: false,
};
export const POD_DISRUPTION_BUDGETS: ResourceRef<PodDisruptionBudget> = {
  group: 'policy',
  version: 'v1',
  plural: 'poddisruptionbudgets',
  kind: 'PodDisruptionBudget',
  namespaced: true,
};
const rbac = { group: 'rbac.authorization.k8s.io', version: 'v1', namespaced: false } as const;
export const CLUSTER_ROLES: ResourceRef<ClusterRole> = {
  ...rbac,
  plural: 'clusterroles',
  kind: 'ClusterRole',
};
export const CLUSTER_ROLE_BINDINGS: ResourceRef<ClusterRoleBinding> = {
  ...rbac,
  plural: 'clusterrolebindings',
  kind: 'ClusterRoleBinding',
};
/** Created at serviceaccounts/<name>/token. */
export const TOKEN_REQUESTS = core<TokenRequest>('serviceaccounts', 'TokenRequest', true);
export const PRIORITY_CLASSES: ResourceRef<PriorityClass> = {
  group: 'scheduling.k8s.io',
  version: 'v1',
  plural: 'priorityclasses',
  kind: 'PriorityClass',
  namespaced: false,
};
export const CUSTOM_RESOURCE_DEFINITIONS: ResourceRef<CustomResourceDefinition> = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};
export const RESOURCE_QUOTAS = core<ResourceQuota>('resourcequotas', 'ResourceQuota', true);
/** Created at pods/<name>/binding. */
export const BINDINGS = core<Binding>('bindings', 'Binding', true);
/** Several that are committed together or not at all; Podwright's own. */
export const BINDING_LISTS = core<KubeObject & { readonly items: readonly Binding[] }>(
  'bindings',
  'List',
  true,
);
