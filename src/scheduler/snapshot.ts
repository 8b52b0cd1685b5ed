// A cluster as it is at one moment, from the lists that the API gives: what the scheduler's informers build up over time,
// for whoever asks once.
import type { Namespace, Node, Pod } from '../kube/api-types.ts';
import { isTerminal } from '../kube/pod.ts';
import { Cluster } from './cluster.ts';
import type { StorageObject } from './cluster-volumes.ts';
import type { PodClasses } from './pod-class.ts';

export type Snapshot = {
  readonly nodes: readonly Node[];
  readonly pods: readonly Pod[];
  readonly namespaces: readonly Namespace[];
  readonly storage?: readonly StorageObject[] | undefined;
};

/** Every pod is where its spec.nodeName says; room that is being freed for a pod (nominatedNodeName) is kept for it. */
export function clusterOf({ nodes, pods, namespaces, storage = [] }: Snapshot, classes: PodClasses): Cluster {
  const cluster = new Cluster();
  for (const { metadata } of namespaces) cluster.setNamespace(metadata?.name ?? '', metadata?.labels ?? {});
  for (const node of nodes) cluster.setNode(node);
  for (const object of storage) cluster.volumes.set(object);
  for (const pod of pods) {
    const { metadata, spec, status } = pod;
    const nodeName = spec?.nodeName || status?.nominatedNodeName;
    if (!nodeName || isTerminal(pod)) continue;
    const placed = cluster.place(
      classes.ofBound(pod),
      metadata?.uid ?? '',
      cluster.reserveIndex(nodeName),
      spec?.nodeName ? 'assigned' : 'nominated',
    );
    if (metadata?.deletionTimestamp !== undefined) cluster.setTerminating(placed);
  }
  return cluster;
}
