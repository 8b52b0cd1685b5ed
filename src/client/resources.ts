// Typed references to the kinds the engine itself works with.
import type {
  Binding,
  ConfigMap,
  Event,
  Namespace,
  Node,
  Pod,
  Secret,
  ServiceAccount,
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
export const EVENTS = core<Event>('events', 'Event', true);
export const SERVICE_ACCOUNTS = core<ServiceAccount>('serviceaccounts', 'ServiceAccount', true);
/** Created at pods/<name>/binding. */
export const BINDINGS = core<Binding>('bindings', 'Binding', true);
