// What happens in a cluster, and whom of the waiting it could help: the plug-in that rejected a pod names the events
// (kube-scheduler's EventsToRegister and queueing hints).
import type { PluginName } from './plugin-name.ts';

export type ClusterEvent =
  | { readonly kind: 'NodeAdded' | 'NodeChanged'; readonly node: number }
  /** A pod gave back what it held, or no longer counts. */
  | { readonly kind: 'PodLeft'; readonly node: number }
  | { readonly kind: 'PodPlaced'; readonly node: number }
  | { readonly kind: 'NamespaceChanged' }
  /** A claim, a volume or a storage class. */
  | { readonly kind: 'VolumeChanged' };

export type ClusterEventKind = ClusterEvent['kind'];

const NODE: readonly ClusterEventKind[] = ['NodeAdded', 'NodeChanged'];
const ANY: readonly ClusterEventKind[] = [...NODE, 'PodLeft', 'PodPlaced', 'NamespaceChanged'];

const HELPS: Readonly<Record<PluginName, readonly ClusterEventKind[]>> = {
  NodeUnschedulable: NODE,
  NodeName: NODE,
  TaintToleration: NODE,
  NodeAffinity: NODE,
  NodePorts: [...NODE, 'PodLeft'],
  NodeResourcesFit: [...NODE, 'PodLeft'],
  VolumeRestrictions: ['PodLeft', 'VolumeChanged'],
  VolumeBinding: [...NODE, 'VolumeChanged'],
  PodTopologySpread: ANY,
  InterPodAffinity: ANY,
  NodeResourcesBalancedAllocation: [],
  ImageLocality: [],
};

/** No plug-in objected where there were no nodes: then only a node helps. */
export function couldHelp(event: ClusterEvent, rejectedBy: ReadonlySet<PluginName>): boolean {
  if (rejectedBy.size === 0) return event.kind === 'NodeAdded';
  for (const plugin of rejectedBy) if (HELPS[plugin].includes(event.kind)) return true;
  return false;
}

const OF_MANY_NODES: readonly PluginName[] = ['PodTopologySpread', 'InterPodAffinity', 'VolumeRestrictions'];

/** Whether the objections of these plug-ins are about one node at a time, so that looking at that node settles it. */
export function isAboutOneNode(rejectedBy: ReadonlySet<PluginName>): boolean {
  return !OF_MANY_NODES.some((plugin) => rejectedBy.has(plugin));
}
