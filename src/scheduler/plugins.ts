// The table of plug-ins, in the order of their names in framework.ts. A plug-in is one entry here and its file in plugins/.
import type { Plugin } from './framework.ts';
import { PLUGIN_NAMES, type PluginName } from './plugin-name.ts';
import { imageLocality } from './plugins/image-locality.ts';
import { interPodAffinity } from './plugins/inter-pod-affinity.ts';
import { nodeAffinity, nodeName, nodeUnschedulable, taintToleration } from './plugins/node-filters.ts';
import { nodePorts } from './plugins/node-ports.ts';
import { nodeResourcesBalancedAllocation, nodeResourcesFit } from './plugins/node-resources.ts';
import { podTopologySpread } from './plugins/pod-topology-spread.ts';
import { volumeBinding, volumeRestrictions } from './plugins/volumes.ts';

const BY_NAME: Readonly<Record<PluginName, Plugin>> = {
  NodeUnschedulable: nodeUnschedulable,
  NodeName: nodeName,
  TaintToleration: taintToleration,
  NodeAffinity: nodeAffinity,
  NodePorts: nodePorts,
  NodeResourcesFit: nodeResourcesFit,
  VolumeRestrictions: volumeRestrictions,
  VolumeBinding: volumeBinding,
  PodTopologySpread: podTopologySpread,
  InterPodAffinity: interPodAffinity,
  NodeResourcesBalancedAllocation: nodeResourcesBalancedAllocation,
  ImageLocality: imageLocality,
};

export const PLUGINS: readonly Plugin[] = PLUGIN_NAMES.map((name) => BY_NAME[name]);
