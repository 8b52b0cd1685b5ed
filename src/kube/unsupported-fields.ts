// Fields that Podwright stores and does not act upon, in one table: nothing is silently ignored. A 'warned' field gives
// the client a Warning; a 'refused' one would make the pod something else than asked for and is a 422. An entry goes when
// its feature comes.
import type { Pod } from './api-types.ts';
import { type FieldError, notSupported } from './field-error.ts';

type Entry = {
  /** Path from the pod; "[]" is any item. */
  readonly path: string;
  readonly effect: 'warned' | 'refused';
  /** Only when the value is this one; absent: whenever the field is there. */
  readonly value?: unknown;
};

const VOLUME_SOURCES_MISSING = [
  'awsElasticBlockStore',
  'azureDisk',
  'azureFile',
  'cephfs',
  'cinder',
  'fc',
  'flexVolume',
  'flocker',
  'gcePersistentDisk',
  'gitRepo',
  'glusterfs',
  'iscsi',
  'nfs',
  'photonPersistentDisk',
  'portworxVolume',
  'quobyte',
  'rbd',
  'scaleIO',
  'storageos',
  'vsphereVolume',
];

const PROJECTIONS_MISSING = ['clusterTrustBundle', 'podCertificate'];

function securityFields(path: string): readonly Entry[] {
  return [
    // No profile is ever loaded: unconfined is what the container is.
    { path: `${path}.appArmorProfile.type`, value: 'RuntimeDefault', effect: 'refused' },
    { path: `${path}.appArmorProfile.type`, value: 'Localhost', effect: 'refused' },
    { path: `${path}.seLinuxOptions`, effect: 'warned' },
    { path: `${path}.windowsOptions`, effect: 'warned' },
  ];
}

export const UNSUPPORTED: readonly Entry[] = [
  ...VOLUME_SOURCES_MISSING.map((name) => ({ path: `spec.volumes[].${name}`, effect: 'refused' as const })),
  { path: 'spec.volumes[].emptyDir.medium', value: 'HugePages', effect: 'refused' },
  ...PROJECTIONS_MISSING.map((name) => ({
    path: `spec.volumes[].projected.sources[].${name}`,
    effect: 'refused' as const,
  })),
  ...['containers', 'initContainers', 'ephemeralContainers'].flatMap((list) => [
    { path: `spec.${list}[].volumeDevices`, effect: 'refused' as const },
    { path: `spec.${list}[].env[].valueFrom.fileKeyRef`, effect: 'refused' as const },
    { path: `spec.${list}[].resources.claims`, effect: 'refused' as const },
    ...securityFields(`spec.${list}[].securityContext`),
  ]),
  ...securityFields('spec.securityContext'),
  { path: 'spec.securityContext.seLinuxChangePolicy', effect: 'warned' },
  // Without its own user namespace the pod would be less confined than asked for.
  { path: 'spec.hostUsers', value: false, effect: 'refused' },
  { path: 'spec.os.name', value: 'windows', effect: 'refused' },
  { path: 'spec.resourceClaims', effect: 'refused' },
];

type Found = { readonly field: string; readonly value: unknown };

/** Every place of the object that the path names. */
function find(value: unknown, steps: readonly string[], field: string): Found[] {
  const [step, ...rest] = steps;
  if (value === undefined || value === null) return [];
  if (step === undefined) return Array.isArray(value) && value.length === 0 ? [] : [{ field, value }];
  const isList = step.endsWith('[]');
  const name = isList ? step.slice(0, -2) : step;
  const inner = (value as { readonly [key: string]: unknown })[name];
  const path = field === '' ? name : `${field}.${name}`;
  if (!isList) return find(inner, rest, path);
  return Array.isArray(inner) ? inner.flatMap((item, index) => find(item, rest, `${path}[${index}]`)) : [];
}

function foundIn(pod: Pod, effect: Entry['effect']): Found[] {
  return UNSUPPORTED.filter((entry) => entry.effect === effect).flatMap(({ path, value }) =>
    find(pod, path.split('.'), '').filter((found) => value === undefined || found.value === value),
  );
}

/** Texts for the Warning header. */
export function podWarnings(pod: Pod): readonly string[] {
  return foundIn(pod, 'warned').map(
    ({ field }) => `${field}: Podwright accepts this field but does not act on it yet`,
  );
}

export function refusedFields(pod: Pod): readonly FieldError[] {
  return foundIn(pod, 'refused').map(({ field }) => {
    const name = field.slice(field.lastIndexOf('.') + 1);
    const error = notSupported(field, name, []);
    return { ...error, message: `${error.message}: Podwright does not have this yet` };
  });
}
