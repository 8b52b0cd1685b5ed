// Rules for ConfigMaps and Secrets (pkg/apis/core/validation).

import { isDeepStrictEqual } from 'node:util';
import type { ConfigMap, Secret } from '../api-types.ts';
import { type FieldError, forbidden, invalid, required, tooLong } from '../field-error.ts';
import { configMapKey } from './names.ts';

const DATA_BYTES_MAX = 1024 * 1024;

type Data = { readonly [key: string]: string };

function validateKeys(data: Data | undefined, field: string): FieldError[] {
  return Object.keys(data ?? {}).flatMap((key) =>
    configMapKey(key).map((message) => invalid(`${field}[${key}]`, key, message)),
  );
}

function decodedBytes(base64: string): number {
  return Buffer.from(base64, 'base64').length;
}

export function validateConfigMap({ data = {}, binaryData = {} }: ConfigMap): FieldError[] {
  const bytes =
    Object.values(data).reduce((sum, text) => sum + Buffer.byteLength(text), 0) +
    Object.values(binaryData).reduce((sum, text) => sum + decodedBytes(text), 0);
  return [
    ...validateKeys(data, 'data'),
    ...validateKeys(binaryData, 'binaryData'),
    ...Object.keys(data).flatMap((key) =>
      Object.hasOwn(binaryData, key)
        ? [invalid(`data[${key}]`, key, 'duplicate of key present in binaryData')]
        : [],
    ),
    ...(bytes > DATA_BYTES_MAX ? [tooLong('', DATA_BYTES_MAX)] : []),
  ];
}

/** Keys that a secret of a known type must have. */
const REQUIRED_KEYS: { readonly [type: string]: readonly string[] } = {
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
};

export function validateSecret({ data = {}, type = 'Opaque' }: Secret): FieldError[] {
  const bytes = Object.values(data).reduce((sum, text) => sum + decodedBytes(text), 0);
  return [
    ...validateKeys(data, 'data'),
    ...(bytes > DATA_BYTES_MAX ? [tooLong('data', DATA_BYTES_MAX)] : []),
    ...(REQUIRED_KEYS[type] ?? []).flatMap((key) =>
      Object.hasOwn(data, key) ? [] : [required(`data[${key}]`)],
    ),
  ];
}

function immutableFields<T extends ConfigMap | Secret>(
  object: T,
  old: T,
  fields: readonly (keyof T & string)[],
): FieldError[] {
  if (old.immutable !== true) return [];
  const changed = fields.filter((field) => !isDeepStrictEqual(object[field], old[field]));
  return [
    ...(object.immutable === true
      ? []
      : [forbidden('immutable', 'field is immutable when `immutable` is set')]),
    ...changed.map((field) => forbidden(field, 'field is immutable when `immutable` is set')),
  ];
}

export function validateConfigMapUpdate(object: ConfigMap, old: ConfigMap): FieldError[] {
  return immutableFields(object, old, ['data', 'binaryData']);
}

export function validateSecretUpdate(object: Secret, old: Secret): FieldError[] {
  return [
    ...(object.type === old.type ? [] : [invalid('type', object.type, 'field is immutable')]),
    ...immutableFields(object, old, ['data']),
  ];
}
