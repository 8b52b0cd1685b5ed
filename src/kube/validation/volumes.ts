// Rules for a pod's volumes (pkg/apis/core/validation validateVolumes).
import type { KeyToPath, PodSpec, Volume } from '../api-types.ts';
import { duplicate, type FieldError, forbidden, invalid, required } from '../field-error.ts';
import { quantityMilli } from '../quantity.ts';
import { configMapKey, dnsLabel } from './names.ts';
import { oneOf, relativePath, withinRange } from './rules.ts';

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
const FILE_MODES = { min: 0, max: 0o777 };

function validateItems(items: readonly KeyToPath[] | undefined, field: string): FieldError[] {
  return (items ?? []).flatMap((item, index) => {
    const at = `${field}.items[${index}]`;
    return [
      ...(item.key
        ? configMapKey(item.key).map((message) => invalid(`${at}.key`, item.key, message))
        : [required(`${at}.key`)]),
      ...(item.path ? relativePath(item.path, `${at}.path`) : [required(`${at}.path`)]),
      ...withinRange(item.mode, FILE_MODES, `${at}.mode`),
    ];
  });
}

function validateSource(volume: Volume, field: string): FieldError[] {
  const { emptyDir, hostPath, configMap, secret } = volume;
  return [
    ...(emptyDir === undefined
      ? []
      : oneOf(emptyDir.medium, ['Memory', 'HugePages'], `${field}.emptyDir.medium`)),
    ...(emptyDir?.sizeLimit !== undefined && quantityMilli(emptyDir.sizeLimit) < 0
      ? [forbidden(`${field}.emptyDir.sizeLimit`, 'SizeLimit field must be a valid resource quantity')]
      : []),
    ...(hostPath === undefined
      ? []
      : [
          ...(hostPath.path ? [] : [required(`${field}.hostPath.path`)]),
          ...(hostPath.path?.split('/').includes('..')
            ? [invalid(`${field}.hostPath.path`, hostPath.path, "must not contain '..'")]
            : []),
          ...oneOf(hostPath.type, HOST_PATH_TYPES, `${field}.hostPath.type`),
        ]),
    ...(configMap === undefined
      ? []
      : [
          ...(configMap.name ? [] : [required(`${field}.configMap.name`)]),
          ...withinRange(configMap.defaultMode, FILE_MODES, `${field}.configMap.defaultMode`),
          ...validateItems(configMap.items, `${field}.configMap`),
        ]),
    ...(secret === undefined
      ? []
      : [
          ...(secret.secretName ? [] : [required(`${field}.secret.secretName`)]),
          ...withinRange(secret.defaultMode, FILE_MODES, `${field}.secret.defaultMode`),
          ...validateItems(secret.items, `${field}.secret`),
        ]),
  ];
}

export function validateVolumes({ volumes = [] }: PodSpec): FieldError[] {
  return volumes.flatMap((volume, index) => {
    const field = `spec.volumes[${index}]`;
    const { name = '' } = volume;
    const sources = Object.keys(volume).filter((key) => key !== 'name');
    const isDoubled = volumes.findIndex((one) => one.name === name) < index;
    return [
      ...(name === ''
        ? [required(`${field}.name`)]
        : dnsLabel(name).map((message) => invalid(`${field}.name`, name, message))),
      ...(name !== '' && isDoubled ? [duplicate(`${field}.name`, name)] : []),
      ...sources
        .slice(1)
        .map((source) => forbidden(`${field}.${source}`, 'may not specify more than 1 volume type')),
      ...validateSource(volume, field),
    ];
  });
}
