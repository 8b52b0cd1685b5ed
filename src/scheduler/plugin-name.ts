// The plug-ins' names, kube-scheduler's own.

/** In the order in which they are asked: the first that objects speaks for the node. */
export const PLUGIN_NAMES = [
  'NodeUnschedulable',
  'NodeName',
  'TaintToleration',
  'NodeAffinity',
  'NodePorts',
  'NodeResourcesFit',
  'VolumeRestrictions',
  'VolumeBinding',
  'PodTopologySpread',
  'InterPodAffinity',
  'NodeResourcesBalancedAllocation',
  'ImageLocality',
] as const;
export type PluginName = (typeof PLUGIN_NAMES)[number];
