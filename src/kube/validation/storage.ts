// Rules for PersistentVolumes, PersistentVolumeClaims and StorageClasses (pkg/apis/core/validation, pkg/apis/storage).
import { isDeepStrictEqual } from 'node:util';
import type {
  CSIDriver,
  CSIPersistentVolumeSource,
  PersistentVolume,
  PersistentVolumeClaim,
  PersistentVolumeClaimSpec,
  PersistentVolumeSpec,
  Quantity,
  StorageClass,
} from '../api-types.ts';
import { type FieldError, forbidden, invalid, notSupported, required } from '../field-error.ts';
import { quantityMilli } from '../quantity.ts';
import { dnsSubdomain } from './names.ts';
import { oneOf } from './rules.ts';

const ACCESS_MODES = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];

function validateAccessModes(modes: readonly string[] | undefined, field: string): FieldError[] {
  if (modes === undefined || modes.length === 0)
    return [required(field, 'at least 1 access mode is required')];
  const isMixed = modes.includes('ReadWriteOncePod') && modes.length > 1;
  return [
    ...modes.flatMap((mode) =>
      ACCESS_MODES.includes(mode) ? [] : [notSupported(field, mode, ACCESS_MODES)],
    ),
    ...(isMixed ? [forbidden(field, 'may not use ReadWriteOncePod with other access modes')] : []),
  ];
}

function validateStorage(quantity: Quantity | undefined, field: string): FieldError[] {
  if (quantity === undefined) return [required(field)];
  return quantityMilli(quantity) > 0 ? [] : [invalid(field, quantity, 'must be greater than zero')];
}

/** A block device cannot be made of a directory. */
function validateVolumeMode(mode: string | undefined, field: string): FieldError[] {
  if (mode !== 'Block') return oneOf(mode, ['Block', 'Filesystem'], field);
  const error = notSupported(field, mode, ['Filesystem']);
  return [{ ...error, message: `${error.message}: Podwright does not have this yet` }];
}

function validateClassName(name: string | undefined, field: string): FieldError[] {
  return name ? dnsSubdomain(name).map((message) => invalid(field, name, message)) : [];
}

const CLAIM_FIELDS_MISSING = ['dataSource', 'dataSourceRef', 'volumeAttributesClassName'] as const;

/** @param field "spec", or the path of a template's spec. */
export function validateClaimSpec(spec: PersistentVolumeClaimSpec | undefined, field: string): FieldError[] {
  return [
    ...validateAccessModes(spec?.accessModes, `${field}.accessModes`),
    ...validateStorage(spec?.resources?.requests?.storage, `${field}.resources[storage]`),
    ...validateClassName(spec?.storageClassName, `${field}.storageClassName`),
    ...validateVolumeMode(spec?.volumeMode, `${field}.volumeMode`),
    ...CLAIM_FIELDS_MISSING.filter((name) => spec?.[name] !== undefined).map((name) =>
      forbidden(`${field}.${name}`, 'Podwright does not have this yet'),
    ),
  ];
}

export const validateClaim = ({ spec }: PersistentVolumeClaim): FieldError[] =>
  validateClaimSpec(spec, 'spec');

const CLAIM_IMMUTABLE =
  'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';

/** What may be set once, by the controller or by a user: the volume, and the default class. */
function withSetOnce(
  old: PersistentVolumeClaimSpec,
  spec: PersistentVolumeClaimSpec,
): PersistentVolumeClaimSpec {
  const { volumeName, storageClassName } = spec;
  return {
    ...old,
    ...(old.volumeName || volumeName === undefined ? {} : { volumeName }),
    ...(old.storageClassName !== undefined || storageClassName === undefined ? {} : { storageClassName }),
  };
}

export function validateClaimUpdate(claim: PersistentVolumeClaim, old: PersistentVolumeClaim): FieldError[] {
  const [spec, before] = [claim.spec ?? {}, old.spec ?? {}];
  return isDeepStrictEqual(spec, withSetOnce(before, spec)) ? [] : [forbidden('spec', CLAIM_IMMUTABLE)];
}

/** Fields of a PersistentVolumeSpec that are no volume source. */
const NOT_A_SOURCE = [
  'accessModes',
  'capacity',
  'claimRef',
  'mountOptions',
  'nodeAffinity',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'volumeAttributesClassName',
  'volumeMode',
];

const CSI_SECRETS = [
  'controllerExpandSecretRef',
  'controllerPublishSecretRef',
  'nodeExpandSecretRef',
  'nodePublishSecretRef',
  'nodeStageSecretRef',
] as const;

function validateCsiSource(csi: CSIPersistentVolumeSource, field: string): FieldError[] {
  const missing = 'Podwright does not have this yet: secrets reach inline volumes only';
  return [
    ...(csi.driver ? [] : [required(`${field}.driver`)]),
    ...(csi.volumeHandle ? [] : [required(`${field}.volumeHandle`)]),
    ...CSI_SECRETS.filter((name) => csi[name] !== undefined).map((name) =>
      forbidden(`${field}.${name}`, missing),
    ),
  ];
}

function validateSource(spec: PersistentVolumeSpec, field: string): FieldError[] {
  const [source, ...more] = Object.keys(spec).filter((name) => !NOT_A_SOURCE.includes(name));
  if (source === undefined) return [required(field, 'must specify a volume type')];
  const tooMany = more.map((name) =>
    forbidden(`${field}.${name}`, 'may not specify more than 1 volume type'),
  );
  const { local, hostPath, csi } = spec;
  if (csi !== undefined) return [...tooMany, ...validateCsiSource(csi, `${field}.csi`)];
  const path = (local ?? hostPath)?.path;
  if (local === undefined && hostPath === undefined) {
    const error = notSupported(`${field}.${source}`, source, ['csi', 'hostPath', 'local']);
    return [...tooMany, { ...error, message: `${error.message}: Podwright does not have this yet` }];
  }
  return [
    ...tooMany,
    ...(path ? [] : [required(`${field}.${source}.path`)]),
    ...(path?.split('/').includes('..')
      ? [invalid(`${field}.${source}.path`, path, "must not contain '..'")]
      : []),
    ...((spec.mountOptions ?? []).length > 0
      ? [forbidden(`${field}.mountOptions`, 'may not specify mount options for this volume type')]
      : []),
    ...(local !== undefined && spec.nodeAffinity?.required === undefined
      ? [required(`${field}.nodeAffinity`, 'Local volume requires node affinity')]
      : []),
  ];
}

export function validatePersistentVolume({ spec = {} }: PersistentVolume): FieldError[] {
  const { capacity, persistentVolumeReclaimPolicy: policy } = spec;
  const others = Object.keys(capacity ?? {}).filter((name) => name !== 'storage');
  return [
    ...validateAccessModes(spec.accessModes, 'spec.accessModes'),
    ...(capacity === undefined
      ? [required('spec.capacity')]
      : validateStorage(capacity.storage, 'spec.capacity[storage]')),
    ...others.map((name) => notSupported('spec.capacity', name, ['storage'])),
    ...oneOf(policy, ['Delete', 'Retain'], 'spec.persistentVolumeReclaimPolicy'),
    ...validateClassName(spec.storageClassName, 'spec.storageClassName'),
    ...validateVolumeMode(spec.volumeMode, 'spec.volumeMode'),
    ...validateSource(spec, 'spec'),
  ];
}

export function validatePersistentVolumeUpdate(
  volume: PersistentVolume,
  old: PersistentVolume,
): FieldError[] {
  const sourceOf = ({ spec }: PersistentVolume): unknown => [spec?.local, spec?.hostPath, spec?.csi];
  return [
    ...(isDeepStrictEqual(sourceOf(volume), sourceOf(old))
      ? []
      : [
          forbidden('spec.persistentvolumesource', 'spec.persistentvolumesource is immutable after creation'),
        ]),
    ...(isDeepStrictEqual(volume.spec?.volumeMode, old.spec?.volumeMode)
      ? []
      : [invalid('volumeMode', volume.spec?.volumeMode, 'field is immutable')]),
    ...(old.spec?.nodeAffinity === undefined ||
    isDeepStrictEqual(volume.spec?.nodeAffinity, old.spec.nodeAffinity)
      ? []
      : [invalid('nodeAffinity', volume.spec?.nodeAffinity, 'field is immutable')]),
  ];
}

export function validateCsiDriver({ spec }: CSIDriver): FieldError[] {
  const policies = ['File', 'None', 'ReadWriteOnceWithFSType'];
  return [
    ...oneOf(spec?.fsGroupPolicy, policies, 'spec.fsGroupPolicy'),
    ...(spec?.volumeLifecycleModes ?? []).flatMap((mode) =>
      oneOf(mode, ['Ephemeral', 'Persistent'], 'spec.volumeLifecycleModes'),
    ),
  ];
}

export function validateStorageClass(object: StorageClass): FieldError[] {
  return [
    ...(object.provisioner ? [] : [required('provisioner')]),
    ...oneOf(object.reclaimPolicy, ['Delete', 'Retain'], 'reclaimPolicy'),
    ...oneOf(object.volumeBindingMode, ['Immediate', 'WaitForFirstConsumer'], 'volumeBindingMode'),
  ];
}

export function validateStorageClassUpdate(object: StorageClass, old: StorageClass): FieldError[] {
  const changed = (field: 'parameters' | 'provisioner' | 'reclaimPolicy' | 'volumeBindingMode'): boolean =>
    !isDeepStrictEqual(object[field], old[field]);
  return [
    ...(['parameters', 'provisioner', 'reclaimPolicy'] as const)
      .filter(changed)
      .map((field) => forbidden(field, `updates to ${field} are forbidden.`)),
    ...(changed('volumeBindingMode')
      ? [invalid('volumeBindingMode', object.volumeBindingMode, 'field is immutable')]
      : []),
  ];
}
