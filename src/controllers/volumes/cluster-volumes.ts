// What the controller of volumes looks at, by key, and the questions it asks of it. Pure; filled from the informers.
import type {
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  StorageClass,
} from '../../kube/api-types.ts';
import { claimNameOf, DEFAULT_CLASS_ANNOTATION } from '../../kube/storage.ts';

export type ClusterVolumes = {
  /** Each by "<namespace>/<name>"; the namespace of a cluster-wide object is empty. */
  readonly claims: ReadonlyMap<string, PersistentVolumeClaim>;
  readonly volumes: ReadonlyMap<string, PersistentVolume>;
  readonly classes: ReadonlyMap<string, StorageClass>;
  readonly pods: ReadonlyMap<string, Pod>;
  readonly nodes: ReadonlyMap<string, Node>;
};

/** Claims that pods on a node mount, each with a node; a pod that is not scheduled yet cannot have started with one. */
export function claimsInUse({ pods }: ClusterVolumes): ReadonlyMap<string, string> {
  const scheduled = [...pods.values()].filter(({ spec }) => Boolean(spec?.nodeName));
  return new Map(
    scheduled.flatMap((pod) =>
      claimKeysOf(pod).map((key): [string, string] => [key, pod.spec?.nodeName ?? '']),
    ),
  );
}

/** What a pod mounts by a claim; most pods mount nothing so. */
export function claimKeysOf(pod: Pod): readonly string[] {
  return (pod.spec?.volumes ?? []).flatMap((volume) => {
    const name = claimNameOf(pod, volume);
    return name === undefined ? [] : [`${pod.metadata?.namespace}/${name}`];
  });
}

/** The newest of the classes marked as default, as Kubernetes chooses. */
export function defaultClass({ classes }: ClusterVolumes): StorageClass | undefined {
  const marked = [...classes.values()].filter(
    ({ metadata }) => metadata?.annotations?.[DEFAULT_CLASS_ANNOTATION] === 'true',
  );
  const createdAt = ({ metadata }: StorageClass): string => metadata?.creationTimestamp ?? '';
  return marked.sort((a, b) => (createdAt(a) < createdAt(b) ? 1 : -1))[0];
}

/** The volume's claimRef means this claim: by name, and by uid once it has one. */
export function isFor({ spec }: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const ref = spec?.claimRef;
  const { namespace, name, uid } = claim.metadata ?? {};
  return ref?.namespace === namespace && ref?.name === name && (!ref?.uid || ref.uid === uid);
}
