// Volumes that are directories of this computer, good for each of its nodes: <root>/<volume's name>. It makes and deletes them; who gets which is the
// plan's business. The size asked for is a claim's word, nothing keeps a container to it.
//
// Invariant: nothing outside the root is ever deleted, whatever a PersistentVolume says.
import { chmod, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from '../../kube/api-types.ts';
import { PROVISIONED_BY, PROVISIONER } from './plan-volumes.ts';

/** Anybody in the pod may write, as into an emptyDir; nobody else gets through the data directory. */
const DIRECTORY_MODE = 0o777;

export type LocalProvisioner = {
  /** The volume as it is to be created, reserved for the claim, for one node or for all; its directory is there. */
  provision(
    claim: PersistentVolumeClaim,
    storageClass: StorageClass,
    node?: string,
  ): Promise<PersistentVolume>;
  /** Deletes the volume's data; harmless where there is none. */
  deleteData(volume: PersistentVolume): Promise<void>;
};

export function createLocalProvisioner(root: string, nodeNames: readonly string[]): LocalProvisioner {
  const directoryOf = (name: string): string => join(root, name);
  return {
    async provision(claim, storageClass, node) {
      const { namespace, name, uid } = claim.metadata ?? {};
      const volumeName = `pvc-${uid}`;
      const path = directoryOf(volumeName);
      await mkdir(path, { recursive: true });
      await chmod(path, DIRECTORY_MODE);
      const isHere = {
        key: 'kubernetes.io/hostname',
        operator: 'In',
        values: node === undefined ? nodeNames : [node],
      };
      return {
        metadata: { name: volumeName, annotations: { [PROVISIONED_BY]: PROVISIONER } },
        spec: {
          accessModes: claim.spec?.accessModes,
          capacity: { storage: claim.spec?.resources?.requests?.storage ?? 0 },
          claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid },
          local: { path },
          nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [isHere] }] } },
          persistentVolumeReclaimPolicy: storageClass.reclaimPolicy ?? 'Delete',
          storageClassName: storageClass.metadata?.name,
          volumeMode: 'Filesystem',
        },
      };
    },
    async deleteData({ metadata, spec }) {
      const path = directoryOf(metadata?.name ?? '');
      if (spec?.local?.path === path) await rm(path, { recursive: true, force: true });
    },
  };
}
