// persistentvolumes, persistentvolumeclaims, storageclasses and csidrivers, with the columns of `kubectl get`. Who binds, makes and
// reclaims volumes is controllers/volumes/.

import type { KubeObject } from '../../client/resource-api.ts';
import {
  CSI_DRIVERS,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  STORAGE_CLASSES,
} from '../../client/resources.ts';
import type {
  CSIDriver,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
} from '../../kube/api-types.ts';
import { DEFAULT_CLASS_ANNOTATION, PV_PROTECTION, PVC_PROTECTION } from '../../kube/storage.ts';
import {
  validateClaim,
  validateClaimUpdate,
  validateCsiDriver,
  validatePersistentVolume,
  validatePersistentVolumeUpdate,
  validateStorageClass,
  validateStorageClassUpdate,
} from '../../kube/validation/storage.ts';
import { type Column, defineKind } from '../kind.ts';
import { ageColumn, nameColumn } from './columns.ts';

const SHORT_MODES: { readonly [mode: string]: string } = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};

const modesText = (modes: readonly string[] | undefined): string =>
  [...new Set(modes)].map((mode) => SHORT_MODES[mode] ?? mode).join(',');

function phaseText({ metadata, status }: PersistentVolume | PersistentVolumeClaim): string {
  return metadata?.deletionTimestamp === undefined ? (status?.phase ?? '') : 'Terminating';
}

/** Kubernetes' StorageObjectInUseProtection: what is in use stays until it no longer is. */
function protectedBy<T extends KubeObject>(object: T, finalizer: string): T {
  const finalizers = new Set([...(object.metadata?.finalizers ?? []), finalizer]);
  return { ...object, metadata: { ...object.metadata, finalizers: [...finalizers] } };
}

const text = <T>(name: string, cell: (object: T) => string): Column<T> => ({ name, type: 'string', cell });
const wide = <T>(name: string, cell: (object: T) => string): Column<T> => ({
  ...text(name, cell),
  priority: 1,
});

const storage = {
  categories: [],
  nameRule: 'subdomain',
  selectableFields: [],
  hasGeneration: false,
} as const;

export const persistentVolumeKind = defineKind<PersistentVolume>({
  ...PERSISTENT_VOLUMES,
  ...storage,
  singular: 'persistentvolume',
  shortNames: ['pv'],
  subresources: ['status'],
  schema: 'PersistentVolume',
  strategy: {
    defaults: ({ spec = {}, ...volume }) => ({
      ...volume,
      spec: {
        persistentVolumeReclaimPolicy: 'Retain',
        volumeMode: 'Filesystem',
        ...spec,
        ...(spec.hostPath && { hostPath: { type: '', ...spec.hostPath } }),
      },
    }),
    prepareForCreate: (volume) => ({ ...protectedBy(volume, PV_PROTECTION), status: { phase: 'Pending' } }),
    validate: validatePersistentVolume,
    validateUpdate: validatePersistentVolumeUpdate,
  },
  columns: [
    nameColumn(),
    text('Capacity', ({ spec }) => String(spec?.capacity?.storage ?? '')),
    text('Access Modes', ({ spec }) => modesText(spec?.accessModes)),
    text('Reclaim Policy', ({ spec }) => spec?.persistentVolumeReclaimPolicy ?? ''),
    text('Status', phaseText),
    text('Claim', ({ spec }) => (spec?.claimRef ? `${spec.claimRef.namespace}/${spec.claimRef.name}` : '')),
    text('StorageClass', ({ spec }) => spec?.storageClassName ?? ''),
    text('VolumeAttributesClass', ({ spec }) => spec?.volumeAttributesClassName ?? '<unset>'),
    text('Reason', ({ status }) => status?.reason ?? ''),
    ageColumn(),
    wide('VolumeMode', ({ spec }) => spec?.volumeMode ?? '<unset>'),
  ],
});

const boundOnly =
  (cell: (claim: PersistentVolumeClaim) => string) =>
  (claim: PersistentVolumeClaim): string =>
    claim.spec?.volumeName ? cell(claim) : '';

export const persistentVolumeClaimKind = defineKind<PersistentVolumeClaim>({
  ...PERSISTENT_VOLUME_CLAIMS,
  ...storage,
  singular: 'persistentvolumeclaim',
  shortNames: ['pvc'],
  subresources: ['status'],
  schema: 'PersistentVolumeClaim',
  strategy: {
    defaults: ({ spec = {}, ...claim }) => ({ ...claim, spec: { volumeMode: 'Filesystem', ...spec } }),
    prepareForCreate: (claim) => ({ ...protectedBy(claim, PVC_PROTECTION), status: { phase: 'Pending' } }),
    validate: validateClaim,
    validateUpdate: validateClaimUpdate,
  },
  columns: [
    nameColumn(),
    text('Status', phaseText),
    text('Volume', ({ spec }) => spec?.volumeName ?? ''),
    text(
      'Capacity',
      boundOnly(({ status }) => String(status?.capacity?.storage ?? '')),
    ),
    text(
      'Access Modes',
      boundOnly(({ status }) => modesText(status?.accessModes)),
    ),
    text('StorageClass', ({ spec }) => spec?.storageClassName ?? ''),
    text('VolumeAttributesClass', ({ spec }) => spec?.volumeAttributesClassName ?? '<unset>'),
    ageColumn(),
    wide('VolumeMode', ({ spec }) => spec?.volumeMode ?? '<unset>'),
  ],
});

function className({ metadata }: StorageClass): string {
  const isDefault = metadata?.annotations?.[DEFAULT_CLASS_ANNOTATION] === 'true';
  return `${metadata?.name ?? ''}${isDefault ? ' (default)' : ''}`;
}

export const storageClassKind = defineKind<StorageClass>({
  ...STORAGE_CLASSES,
  ...storage,
  singular: 'storageclass',
  shortNames: ['sc'],
  subresources: [],
  schema: 'StorageClass',
  strategy: {
    defaults: (object) => ({ reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate', ...object }),
    validate: validateStorageClass,
    validateUpdate: validateStorageClassUpdate,
  },
  columns: [
    text('Name', className),
    text('Provisioner', ({ provisioner }) => provisioner),
    text('ReclaimPolicy', ({ reclaimPolicy }) => reclaimPolicy ?? ''),
    text('VolumeBindingMode', ({ volumeBindingMode }) => volumeBindingMode ?? ''),
    text('AllowVolumeExpansion', ({ allowVolumeExpansion }) => String(allowVolumeExpansion ?? false)),
    ageColumn(),
  ],
});

/** Stored for whoever reads them, and not acted upon. */
function csiDriverWarnings({ spec }: CSIDriver): readonly string[] {
  const asked = {
    requiresRepublish: spec.requiresRepublish === true,
    seLinuxMount: spec.seLinuxMount === true,
    tokenRequests: (spec.tokenRequests ?? []).length > 0,
  };
  return Object.entries(asked)
    .filter(([, isAsked]) => isAsked)
    .map(([field]) => `spec.${field}: Podwright accepts this field but does not act on it yet`);
}

export const csiDriverKind = defineKind<CSIDriver>({
  ...CSI_DRIVERS,
  ...storage,
  singular: 'csidriver',
  shortNames: [],
  subresources: [],
  schema: 'CSIDriver',
  strategy: {
    defaults: ({ spec, ...driver }) => ({
      ...driver,
      spec: {
        attachRequired: true,
        podInfoOnMount: false,
        storageCapacity: false,
        fsGroupPolicy: 'ReadWriteOnceWithFSType',
        volumeLifecycleModes: ['Persistent'],
        requiresRepublish: false,
        seLinuxMount: false,
        ...spec,
      },
    }),
    validate: validateCsiDriver,
    warnings: csiDriverWarnings,
  },
  columns: [
    nameColumn(),
    text('AttachRequired', ({ spec }) => String(spec.attachRequired ?? true)),
    text('PodInfoOnMount', ({ spec }) => String(spec.podInfoOnMount ?? false)),
    text('StorageCapacity', ({ spec }) => String(spec.storageCapacity ?? false)),
    text(
      'TokenRequests',
      ({ spec }) => (spec.tokenRequests ?? []).map((one) => one.audience).join(',') || '<unset>',
    ),
    text('RequiresRepublish', ({ spec }) => String(spec.requiresRepublish ?? false)),
    text('Modes', ({ spec }) => (spec.volumeLifecycleModes ?? []).join(',')),
    ageColumn(),
  ],
});
