// Rules for the volumes made of files: configMap, secret, downwardAPI, projected (pkg/apis/core/validation).
import type {
  ConfigMapVolumeSource,
  DownwardAPIVolumeFile,
  DownwardAPIVolumeSource,
  KeyToPath,
  ProjectedVolumeSource,
  SecretVolumeSource,
  VolumeProjection,
} from '../api-types.ts';
import { type FieldError, forbidden, invalid, required } from '../field-error.ts';
import { configMapKey } from './names.ts';
import { oneOf, relativePath, withinRange } from './rules.ts';

const FILE_MODES = { min: 0, max: 0o777 };

/** A name that begins with ".." would collide with the versions that the files are written to. */
function localPath(path: string | undefined, field: string): FieldError[] {
  if (path === undefined || path === '') return [required(field)];
  const errors = relativePath(path, field);
  return errors.length === 0 && path.startsWith('..')
    ? [invalid(field, path, "must not start with '..'")]
    : errors;
}

function validateItems(items: readonly KeyToPath[] | undefined, field: string): FieldError[] {
  return (items ?? []).flatMap((item, index) => {
    const at = `${field}.items[${index}]`;
    return [
      ...(item.key
        ? configMapKey(item.key).map((message) => invalid(`${at}.key`, item.key, message))
        : [required(`${at}.key`)]),
      ...localPath(item.path, `${at}.path`),
      ...withinRange(item.mode, FILE_MODES, `${at}.mode`),
    ];
  });
}

export function validateConfigMapVolume(source: ConfigMapVolumeSource, field: string): FieldError[] {
  return [
    ...(source.name ? [] : [required(`${field}.name`)]),
    ...withinRange(source.defaultMode, FILE_MODES, `${field}.defaultMode`),
    ...validateItems(source.items, field),
  ];
}

export function validateSecretVolume(source: SecretVolumeSource, field: string): FieldError[] {
  return [
    ...(source.secretName ? [] : [required(`${field}.secretName`)]),
    ...withinRange(source.defaultMode, FILE_MODES, `${field}.defaultMode`),
    ...validateItems(source.items, field),
  ];
}

/** Fields that do not depend on where the pod runs; an environment variable has more. */
const FIELD_PATHS = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
];
const SUBSCRIPT = /^metadata\.(?:labels|annotations)\['.+'\]$/;
const RESOURCES = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
];

function validateDownwardFile(file: DownwardAPIVolumeFile, field: string): FieldError[] {
  const { path, mode, fieldRef, resourceFieldRef } = file;
  const own = [...localPath(path, `${field}.path`), ...withinRange(mode, FILE_MODES, `${field}.mode`)];
  if (fieldRef !== undefined && resourceFieldRef !== undefined) {
    const both = 'fieldRef and resourceFieldRef can not be specified simultaneously';
    return [...own, invalid(field, 'resource', both)];
  }
  if (fieldRef !== undefined) {
    const at = `${field}.fieldRef.fieldPath`;
    if (!fieldRef.fieldPath) return [...own, required(at)];
    return SUBSCRIPT.test(fieldRef.fieldPath) ? own : [...own, ...oneOf(fieldRef.fieldPath, FIELD_PATHS, at)];
  }
  if (resourceFieldRef === undefined)
    return [...own, required(field, 'one of fieldRef and resourceFieldRef is required')];
  const at = `${field}.resourceFieldRef`;
  return [
    ...own,
    ...(resourceFieldRef.containerName ? [] : [required(`${at}.containerName`)]),
    ...(resourceFieldRef.resource
      ? oneOf(resourceFieldRef.resource, RESOURCES, `${at}.resource`)
      : [required(`${at}.resource`)]),
  ];
}

export function validateDownwardVolume(source: DownwardAPIVolumeSource, field: string): FieldError[] {
  return [
    ...withinRange(source.defaultMode, FILE_MODES, `${field}.defaultMode`),
    ...(source.items ?? []).flatMap((file, index) => validateDownwardFile(file, `${field}.items[${index}]`)),
  ];
}

/** Kubernetes' bounds of a token's life, wherever one is asked for. */
export function tokenSeconds(seconds: number | undefined, field: string): FieldError[] {
  if (seconds === undefined) return [];
  if (seconds < 600) return [invalid(field, seconds, 'may not specify a duration less than 10 minutes')];
  return seconds > 2 ** 32
    ? [invalid(field, seconds, 'may not specify a duration larger than 2^32 seconds')]
    : [];
}

function validateProjection(projection: VolumeProjection, field: string): FieldError[] {
  const { configMap, secret, downwardAPI, serviceAccountToken } = projection;
  const given = Object.keys(projection);
  return [
    ...given
      .slice(1)
      .map((source) => forbidden(`${field}.${source}`, 'may not specify more than 1 volume type per source')),
    ...(configMap === undefined ? [] : validateConfigMapVolume(configMap, `${field}.configMap`)),
    ...(secret === undefined
      ? []
      : [
          ...(secret.name ? [] : [required(`${field}.secret.name`)]),
          ...validateItems(secret.items, `${field}.secret`),
        ]),
    ...(downwardAPI === undefined ? [] : validateDownwardVolume(downwardAPI, `${field}.downwardAPI`)),
    ...(serviceAccountToken === undefined
      ? []
      : [
          ...localPath(serviceAccountToken.path, `${field}.serviceAccountToken.path`),
          ...tokenSeconds(
            serviceAccountToken.expirationSeconds,
            `${field}.serviceAccountToken.expirationSeconds`,
          ),
        ]),
  ];
}

/** Where each source says its files go; what has no items is not known before it is read. */
function pathsOf({
  configMap,
  secret,
  downwardAPI,
  serviceAccountToken,
}: VolumeProjection): readonly string[] {
  const files = [...(configMap?.items ?? []), ...(secret?.items ?? []), ...(downwardAPI?.items ?? [])];
  return [...files, ...(serviceAccountToken === undefined ? [] : [serviceAccountToken])].map(
    ({ path }) => path,
  );
}

export function validateProjectedVolume(source: ProjectedVolumeSource, field: string): FieldError[] {
  const sources = source.sources ?? [];
  const paths = sources.flatMap(pathsOf);
  const doubled = new Set(paths.filter((path, index) => paths.indexOf(path) < index));
  return [
    ...withinRange(source.defaultMode, FILE_MODES, `${field}.defaultMode`),
    ...sources.flatMap((one, index) => validateProjection(one, `${field}.sources[${index}]`)),
    ...[...doubled].map((path) => invalid(`${field}.sources`, path, 'conflicting duplicate paths')),
  ];
}
