// Rules for a pod's volumes (pkg/apis/core/validation validateVolumes).
import type {
  CSIVolumeSource,
  EmptyDirVolumeSource,
  EphemeralVolumeSource,
  HostPathVolumeSource,
  ImageVolumeSource,
  PersistentVolumeClaimVolumeSource,
  PodSpec,
  Volume,
} from '../api-types.ts';
import { duplicate, type FieldError, forbidden, invalid, required } from '../field-error.ts';
import { quantityMilli } from '../quantity.ts';
import {
  validateConfigMapVolume,
  validateDownwardVolume,
  validateProjectedVolume,
  validateSecretVolume,
} from './file-volumes.ts';
import { dnsLabel, dnsSubdomain } from './names.ts';
import { oneOf } from './rules.ts';
import { validateClaimSpec } from './storage.ts';

const HOST_PATH_TYPES = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
];
type Source = Exclude<keyof Volume, 'name'>;
type Rules = {
  readonly [Kind in Source]?: (source: NonNullable<Volume[Kind]>, field: string) => FieldError[];
};

function validateEmptyDir({ medium, sizeLimit }: EmptyDirVolumeSource, field: string): FieldError[] {
  return [
    ...oneOf(medium, ['Memory', 'HugePages'], `${field}.medium`),
    ...(sizeLimit !== undefined && quantityMilli(sizeLimit) < 0
      ? [forbidden(`${field}.sizeLimit`, 'SizeLimit field must be a valid resource quantity')]
      : []),
  ];
}

function validateHostPath({ path, type }: HostPathVolumeSource, field: string): FieldError[] {
  return [
    ...(path ? [] : [required(`${field}.path`)]),
    ...(path?.split('/').includes('..') ? [invalid(`${field}.path`, path, "must not contain '..'")] : []),
    ...oneOf(type, HOST_PATH_TYPES, `${field}.type`),
  ];
}

function validateImage({ reference, pullPolicy }: ImageVolumeSource, field: string): FieldError[] {
  return [
    ...(reference ? [] : [required(`${field}.reference`)]),
    ...oneOf(pullPolicy, ['Always', 'IfNotPresent', 'Never'], `${field}.pullPolicy`),
  ];
}

function validateClaimVolume({ claimName }: PersistentVolumeClaimVolumeSource, field: string): FieldError[] {
  return claimName ? [] : [required(`${field}.claimName`)];
}

function validateEphemeral({ volumeClaimTemplate }: EphemeralVolumeSource, field: string): FieldError[] {
  const at = `${field}.volumeClaimTemplate`;
  return volumeClaimTemplate === undefined
    ? [required(at)]
    : validateClaimSpec(volumeClaimTemplate.spec, `${at}.spec`);
}

function validateCsi({ driver, nodePublishSecretRef }: CSIVolumeSource, field: string): FieldError[] {
  return [
    ...(driver
      ? dnsSubdomain(driver).map((message) => invalid(`${field}.driver`, driver, message))
      : [required(`${field}.driver`)]),
    ...(nodePublishSecretRef !== undefined && !nodePublishSecretRef.name
      ? [required(`${field}.nodePublishSecretRef.name`)]
      : []),
  ];
}

/** Sources that are not here are refused by unsupported-fields.ts. */
const RULES: Rules = {
  emptyDir: validateEmptyDir,
  hostPath: validateHostPath,
  configMap: validateConfigMapVolume,
  secret: validateSecretVolume,
  downwardAPI: validateDownwardVolume,
  projected: validateProjectedVolume,
  image: validateImage,
  persistentVolumeClaim: validateClaimVolume,
  ephemeral: validateEphemeral,
  csi: validateCsi,
};

function validateSource<Kind extends Source>(volume: Volume, kind: Kind, field: string): FieldError[] {
  const source = volume[kind];
  return source === undefined ? [] : (RULES[kind]?.(source, `${field}.${kind}`) ?? []);
}

export function validateVolumes({ volumes = [] }: PodSpec): FieldError[] {
  return volumes.flatMap((volume, index) => {
    const field = `spec.volumes[${index}]`;
    const { name = '' } = volume;
    const sources = (Object.keys(volume) as (keyof Volume)[]).filter((key) => key !== 'name');
    const isDoubled = volumes.findIndex((one) => one.name === name) < index;
    return [
      ...(name === ''
        ? [required(`${field}.name`)]
        : dnsLabel(name).map((message) => invalid(`${field}.name`, name, message))),
      ...(name !== '' && isDoubled ? [duplicate(`${field}.name`, name)] : []),
      ...sources
        .slice(1)
        .map((source) => forbidden(`${field}.${source}`, 'may not specify more than 1 volume type')),
      ...sources.flatMap((kind) => validateSource(volume, kind, field)),
    ];
  });
}
