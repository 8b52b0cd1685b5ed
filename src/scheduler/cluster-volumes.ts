// What the scheduler knows of storage: claims, volumes and classes as last seen. Who binds them is the controller of
// volumes'; here they only say which nodes a pod with claims can go to.
import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from '../kube/api-types.ts';

export type StorageObject =
  | { readonly kind: 'claim'; readonly object: PersistentVolumeClaim }
  | { readonly kind: 'volume'; readonly object: PersistentVolume }
  | { readonly kind: 'class'; readonly object: StorageClass };

export class ClusterVolumes {
  /** Changes with every object. */
  version = 0;
  /** By "<namespace>/<name>". */
  readonly claims = new Map<string, PersistentVolumeClaim>();
  readonly volumes = new Map<string, PersistentVolume>();
  readonly classes = new Map<string, StorageClass>();

  set({ kind, object }: StorageObject): void {
    this.version += 1;
    const { namespace, name = '' } = object.metadata ?? {};
    if (kind === 'claim') this.claims.set(`${namespace}/${name}`, object);
    else if (kind === 'volume') this.volumes.set(name, object);
    else this.classes.set(name, object);
  }

  remove({ kind, object }: StorageObject): void {
    this.version += 1;
    const { namespace, name = '' } = object.metadata ?? {};
    if (kind === 'claim') this.claims.delete(`${namespace}/${name}`);
    else if (kind === 'volume') this.volumes.delete(name);
    else this.classes.delete(name);
  }

  /** Bound once its pod has a node: those of a class with WaitForFirstConsumer. */
  waitsForConsumer({ spec }: PersistentVolumeClaim): boolean {
    return this.classes.get(spec?.storageClassName ?? '')?.volumeBindingMode === 'WaitForFirstConsumer';
  }
}
