// The pod's volumes with their contents resolved, as the machine needs them. Pure; throws ConfigFailed in the kubelet's
// words, naming the volume it is about.
import { PodwrightError } from '../base/errors.ts';
import type {
  DownwardAPIVolumeFile,
  KeyToPath,
  Pod,
  ProjectedVolumeSource,
  ServiceAccountTokenProjection,
  Volume,
} from '../kube/api-types.ts';
import { quantityValue } from '../kube/quantity.ts';
import { claimNameOf, isOwnedBy } from '../kube/storage.ts';
import type { VolumeConfig, VolumeFile, VolumeSetup } from '../machine/model/volume.ts';
import { podIdentity } from './container-config.ts';
import { inlineCsiVolume, persistentCsiVolume } from './csi-volume-config.ts';
import { fieldValue, resourceFieldValue } from './downward.ts';
import {
  configFailed,
  configMapEntries,
  requireBound,
  requireConfigMap,
  requireSecret,
  secretEntries,
} from './sources.ts';
import type { VolumeContext } from './volume-context.ts';

const DEFAULT_MODE = 0o644;

export function volumeSetup(context: VolumeContext): VolumeSetup {
  const { pod } = context;
  const security = pod.spec?.securityContext;
  return {
    pod: podIdentity(pod),
    volumes: (pod.spec?.volumes ?? []).flatMap((volume) => named(volume, context) ?? []),
    fsGroup: security?.fsGroup,
    fsGroupChangePolicy: security?.fsGroupChangePolicy === 'OnRootMismatch' ? 'OnRootMismatch' : 'Always',
  };
}

function named(volume: Volume, context: VolumeContext): VolumeConfig | undefined {
  try {
    return volumeConfig(volume, context);
  } catch (error) {
    if (!(error instanceof PodwrightError)) throw error;
    throw new PodwrightError(
      error.code,
      `MountVolume.SetUp failed for volume "${volume.name}" : ${error.message}`,
    );
  }
}

/** Undefined: nothing is to be done for it any more. */
function volumeConfig(volume: Volume, context: VolumeContext): VolumeConfig | undefined {
  const { name, emptyDir, hostPath, configMap, secret, downwardAPI, projected, image } = volume;
  const { persistentVolumeClaim, ephemeral, csi } = volume;
  if (emptyDir !== undefined) {
    const sizeLimitBytes = emptyDir.sizeLimit === undefined ? undefined : quantityValue(emptyDir.sizeLimit);
    return {
      kind: 'emptyDir',
      name,
      medium: emptyDir.medium === 'Memory' ? 'memory' : 'disk',
      sizeLimitBytes,
    };
  }
  if (hostPath !== undefined) {
    return { kind: 'hostPath', name, path: hostPath.path, type: hostPathType(hostPath.type ?? '') };
  }
  if (configMap !== undefined) {
    return {
      kind: 'files',
      name,
      medium: 'disk',
      files: configMapFiles(configMap.name ?? '', configMap, context),
    };
  }
  if (secret !== undefined) {
    return {
      kind: 'files',
      name,
      medium: 'memory',
      files: secretFiles(secret.secretName ?? '', secret, context),
    };
  }
  if (downwardAPI !== undefined) {
    const mode = downwardAPI.defaultMode ?? DEFAULT_MODE;
    return {
      kind: 'files',
      name,
      medium: 'memory',
      files: downwardFiles(downwardAPI.items ?? [], mode, context),
    };
  }
  if (projected !== undefined) {
    return { kind: 'files', name, medium: 'memory', files: projectedFiles(projected, context) };
  }
  if (image !== undefined) {
    const found = context.images.get(name);
    return found === undefined ? undefined : { kind: 'image', name, imageId: found.id };
  }
  if (csi !== undefined) return inlineCsiVolume(volume, csi, context);
  if (persistentVolumeClaim !== undefined || ephemeral !== undefined) return claimed(volume, context);
  const kind = Object.keys(volume).find((key) => key !== 'name') ?? 'unknown';
  throw configFailed(`volume type ${kind} is not supported`);
}

/** The volume behind a claim. */
function claimed(volume: Volume, context: VolumeContext): VolumeConfig {
  const { pod, sources } = context;
  const claimName = claimNameOf(pod, volume) ?? '';
  const claim = requireBound(sources, claimName);
  if (volume.ephemeral !== undefined && !isOwnedBy(claim, pod)) {
    const { namespace, name } = pod.metadata ?? {};
    throw configFailed(
      `PVC ${namespace}/${claimName} was not created for pod ${namespace}/${name} (pod is not owner)`,
    );
  }
  if (claim.spec?.accessModes?.includes('ReadWriteOncePod') && !context.takeClaim(claimName)) {
    throw configFailed('volume uses the ReadWriteOncePod access mode and is already in use by another pod');
  }
  const volumeName = claim.spec?.volumeName ?? '';
  const found = sources.volume(volumeName);
  if (found?.spec === undefined) throw configFailed(`persistentvolume "${volumeName}" not found`);
  const { local, hostPath, csi } = found.spec;
  const readOnly = volume.persistentVolumeClaim?.readOnly ?? false;
  if (local !== undefined) return { kind: 'local', name: volume.name, path: local.path, readOnly };
  if (csi !== undefined) return persistentCsiVolume(volume.name, { volume: found, csi, readOnly }, context);
  if (hostPath === undefined)
    throw configFailed(`the type of persistentvolume "${volumeName}" is not supported`);
  const type = hostPathType(hostPath.type ?? '');
  return { kind: 'hostPath', name: volume.name, path: hostPath.path, type, readOnly };
}

const HOST_PATH_TYPES = [
  '',
  'DirectoryOrCreate',
  'Directory',
  'FileOrCreate',
  'File',
  'Socket',
  'CharDevice',
  'BlockDevice',
] as const;
type HostPathType = (typeof HOST_PATH_TYPES)[number];

function hostPathType(text: string): HostPathType {
  const type = HOST_PATH_TYPES.find((one) => one === text);
  if (type === undefined) throw configFailed(`hostPath type "${text}" is not supported`);
  return type;
}

type FileSource = {
  readonly items?: readonly KeyToPath[] | undefined;
  readonly defaultMode?: number | undefined;
  readonly optional?: boolean | undefined;
};

function configMapFiles(name: string, source: FileSource, { sources }: VolumeContext): readonly VolumeFile[] {
  const found = requireConfigMap(sources, name, source.optional);
  return found === undefined ? [] : select(configMapEntries(found), source);
}

function secretFiles(name: string, source: FileSource, { sources }: VolumeContext): readonly VolumeFile[] {
  const found = requireSecret(sources, name, source.optional);
  return found === undefined ? [] : select(secretEntries(found), source);
}

/** All keys, or the items' keys under the items' paths. */
function select(entries: ReadonlyMap<string, Uint8Array>, source: FileSource): readonly VolumeFile[] {
  const defaultMode = source.defaultMode ?? DEFAULT_MODE;
  const items = source.items ?? [...entries.keys()].map((key): KeyToPath => ({ key, path: key }));
  return items.flatMap(({ key, path, mode }): VolumeFile[] => {
    const content = entries.get(key);
    if (content !== undefined) return [{ path, content, mode: mode ?? defaultMode }];
    if (source.optional === true) return [];
    throw configFailed(`references non-existent config key: ${key}`);
  });
}

function downwardFiles(
  items: readonly DownwardAPIVolumeFile[],
  defaultMode: number,
  { pod, facts }: VolumeContext,
): readonly VolumeFile[] {
  return items.map(({ path, mode, fieldRef, resourceFieldRef }): VolumeFile => {
    const text =
      fieldRef !== undefined
        ? fieldValue(pod, fieldRef.fieldPath, facts)
        : resourceFieldRef === undefined
          ? ''
          : resourceFieldValue(pod, resourceFieldRef, { facts });
    return { path, content: Buffer.from(text), mode: mode ?? defaultMode };
  });
}

/** The user all containers run as, where they say so and agree. */
function userOf({ spec }: Pod): number | undefined {
  const containers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])];
  const users = new Set(
    containers.map(({ securityContext }) => securityContext?.runAsUser ?? spec?.securityContext?.runAsUser),
  );
  return users.size === 1 ? [...users][0] : undefined;
}

/** For nobody else's eyes, once it is known who is meant (KEP-1205, file permission). */
function tokenFile(
  projection: ServiceAccountTokenProjection,
  defaultMode: number,
  { pod, sources }: VolumeContext,
): readonly VolumeFile[] {
  const token = sources.token(pod, projection);
  if (token === undefined) throw configFailed('the token has not been fetched');
  const uid = userOf(pod);
  const isPrivate = uid !== undefined || pod.spec?.securityContext?.fsGroup !== undefined;
  const mode = isPrivate ? 0o600 : defaultMode;
  return [{ path: projection.path, content: Buffer.from(token), mode, uid }];
}

function projectedFiles(source: ProjectedVolumeSource, context: VolumeContext): readonly VolumeFile[] {
  const defaultMode = source.defaultMode ?? DEFAULT_MODE;
  return (source.sources ?? []).flatMap((one): readonly VolumeFile[] => {
    if (one.configMap !== undefined)
      return configMapFiles(one.configMap.name ?? '', { ...one.configMap, defaultMode }, context);
    if (one.secret !== undefined)
      return secretFiles(one.secret.name ?? '', { ...one.secret, defaultMode }, context);
    if (one.downwardAPI !== undefined)
      return downwardFiles(one.downwardAPI.items ?? [], defaultMode, context);
    if (one.serviceAccountToken !== undefined)
      return tokenFile(one.serviceAccountToken, defaultMode, context);
    throw configFailed(`projected source ${Object.keys(one)[0] ?? 'unknown'} is not supported`);
  });
}
