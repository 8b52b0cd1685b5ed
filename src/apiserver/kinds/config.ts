// configmaps, secrets and serviceaccounts: data that pods read.
import { CONFIG_MAPS, SECRETS, SERVICE_ACCOUNTS } from '../../client/resources.ts';
import type { ConfigMap, Secret, ServiceAccount } from '../../kube/api-types.ts';
import {
  validateConfigMap,
  validateConfigMapUpdate,
  validateSecret,
  validateSecretUpdate,
} from '../../kube/validation/config.ts';
import { defineKind } from '../kind.ts';
import { ageColumn, nameColumn } from './columns.ts';

const count = (...maps: ({ readonly [key: string]: string } | undefined)[]): number =>
  maps.reduce((sum, map) => sum + Object.keys(map ?? {}).length, 0);

const plain = {
  categories: [],
  subresources: [],
  nameRule: 'subdomain',
  hasGeneration: false,
} as const;

export const configMapKind = defineKind<ConfigMap>({
  ...CONFIG_MAPS,
  ...plain,
  singular: 'configmap',
  shortNames: ['cm'],
  schema: 'ConfigMap',
  selectableFields: [],
  strategy: { validate: validateConfigMap, validateUpdate: validateConfigMapUpdate },
  columns: [
    nameColumn(),
    { name: 'Data', type: 'integer', cell: ({ data, binaryData }) => count(data, binaryData) },
    ageColumn(),
  ],
});

/** stringData is a way to write data, never stored. */
function mergeStringData(secret: Secret): Secret {
  const { stringData, ...rest } = secret;
  const encoded = Object.entries(stringData ?? {}).map(([key, text]) => [
    key,
    Buffer.from(text).toString('base64'),
  ]);
  const data = { ...rest.data, ...Object.fromEntries(encoded) };
  return { ...rest, type: rest.type || 'Opaque', ...(count(data) > 0 ? { data } : {}) };
}

const TOKEN_TYPE = 'kubernetes.io/service-account-token';
const TOKEN_WARNING = `Secret of type ${TOKEN_TYPE} is stored, but Podwright puts no token into it: pods have theirs without, and kubectl create token makes one`;

export const secretKind = defineKind<Secret>({
  ...SECRETS,
  ...plain,
  singular: 'secret',
  shortNames: [],
  schema: 'Secret',
  selectableFields: ['type'],
  strategy: {
    defaults: mergeStringData,
    validate: validateSecret,
    validateUpdate: validateSecretUpdate,
    warnings: ({ type }) => (type === TOKEN_TYPE ? [TOKEN_WARNING] : []),
  },
  columns: [
    nameColumn(),
    { name: 'Type', type: 'string', cell: ({ type }) => type ?? '' },
    { name: 'Data', type: 'integer', cell: ({ data }) => count(data) },
    ageColumn(),
  ],
});

export const serviceAccountKind = defineKind<ServiceAccount>({
  ...SERVICE_ACCOUNTS,
  ...plain,
  subresources: ['token'],
  singular: 'serviceaccount',
  shortNames: ['sa'],
  schema: 'ServiceAccount',
  selectableFields: [],
  strategy: { validate: () => [] },
  columns: [
    nameColumn(),
    { name: 'Secrets', type: 'integer', cell: ({ secrets }) => secrets?.length ?? 0 },
    ageColumn(),
  ],
});
