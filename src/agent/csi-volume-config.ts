// Volumes of CSI drivers, inline in the pod or behind a claim, as the machine needs them. What the driver wants to know and
// how it wants to be treated says its CSIDriver object. Pure; throws ConfigFailed in the kubelet's words.
// https://kubernetes-csi.github.io/docs/csi-driver-object.html

import { createHash } from 'node:crypto';
import type {
  CSIDriver,
  CSIPersistentVolumeSource,
  CSIVolumeSource,
  PersistentVolume,
  Volume,
} from '../kube/api-types.ts';
import type { VolumeConfig } from '../machine/model/volume.ts';
import { configFailed, requireSecret } from './sources.ts';
import type { VolumeContext } from './volume-context.ts';

type CsiVolume = Extract<VolumeConfig, { kind: 'csi' }>;

/** Of the first mode of a PersistentVolume, as the kubelet takes it. */
const ACCESS_MODES: { readonly [mode: string]: CsiVolume['accessMode'] } = {
  ReadOnlyMany: 'MULTI_NODE_READER_ONLY',
  ReadWriteMany: 'MULTI_NODE_MULTI_WRITER',
};

/** KEP-596: the driver makes it when it is published, and it is the pod's alone. */
export function inlineCsiVolume(volume: Volume, csi: CSIVolumeSource, context: VolumeContext): CsiVolume {
  const driver = context.sources.driver(csi.driver);
  checkMode('Ephemeral', csi.driver, driver);
  const { uid } = context.pod.metadata ?? {};
  const secretName = csi.nodePublishSecretRef?.name;
  const secret = secretName === undefined ? undefined : requireSecret(context.sources, secretName, undefined);
  const fsType = csi.fsType ?? '';
  return {
    kind: 'csi',
    name: volume.name,
    driver: csi.driver,
    volumeHandle: `csi-${createHash('sha256').update(`${uid}/${volume.name}`).digest('hex')}`,
    lifecycle: 'Ephemeral',
    readOnly: csi.readOnly ?? false,
    accessMode: 'SINGLE_NODE_WRITER',
    fsType,
    mountFlags: [],
    attributes: { ...csi.volumeAttributes, ...podInfo('true', driver, context) },
    secrets: Object.fromEntries(
      Object.entries(secret?.data ?? {}).map(([key, value]) => [
        key,
        Buffer.from(value, 'base64').toString(),
      ]),
    ),
    fsGroup: fsGroupOf(driver, { fsType, isOneWriter: true }),
  };
}

export type BoundCsiVolume = {
  readonly volume: PersistentVolume;
  readonly csi: CSIPersistentVolumeSource;
  /** The pod's wish. */
  readonly readOnly: boolean;
};

export function persistentCsiVolume(
  name: string,
  { volume, csi, readOnly }: BoundCsiVolume,
  context: VolumeContext,
): CsiVolume {
  const driver = context.sources.driver(csi.driver);
  if (driver?.spec.attachRequired !== false) {
    const why = 'attaching volumes is not supported: its CSIDriver must say attachRequired: false';
    throw configFailed(`driver ${csi.driver}: ${why}`);
  }
  checkMode('Persistent', csi.driver, driver);
  const [mode = ''] = volume.spec?.accessModes ?? [];
  const fsType = csi.fsType ?? '';
  return {
    kind: 'csi',
    name,
    driver: csi.driver,
    volumeHandle: csi.volumeHandle,
    lifecycle: 'Persistent',
    readOnly: readOnly || (csi.readOnly ?? false),
    accessMode: ACCESS_MODES[mode] ?? 'SINGLE_NODE_WRITER',
    fsType,
    mountFlags: volume.spec?.mountOptions ?? [],
    attributes: { ...csi.volumeAttributes, ...podInfo('false', driver, context) },
    secrets: {},
    fsGroup: fsGroupOf(driver, { fsType, isOneWriter: ACCESS_MODES[mode] === undefined }),
  };
}

function checkMode(mode: CsiVolume['lifecycle'], name: string, driver: CSIDriver | undefined): void {
  const words = `volume mode "${mode}" not supported by driver ${name}`;
  if (driver === undefined) throw configFailed(`${words} (no CSIDriver object)`);
  const modes = driver.spec.volumeLifecycleModes ?? ['Persistent'];
  if (!modes.includes(mode)) throw configFailed(`${words} (only supports ${JSON.stringify(modes)})`);
}

function podInfo(
  isEphemeral: 'true' | 'false',
  driver: CSIDriver | undefined,
  { pod }: VolumeContext,
): Readonly<Record<string, string>> {
  if (driver?.spec.podInfoOnMount !== true) return {};
  const { name = '', namespace = '', uid = '' } = pod.metadata ?? {};
  return {
    'csi.storage.k8s.io/pod.name': name,
    'csi.storage.k8s.io/pod.namespace': namespace,
    'csi.storage.k8s.io/pod.uid': uid,
    'csi.storage.k8s.io/serviceAccount.name': pod.spec?.serviceAccountName ?? 'default',
    'csi.storage.k8s.io/ephemeral': isEphemeral,
  };
}

function fsGroupOf(
  driver: CSIDriver | undefined,
  { fsType, isOneWriter }: { readonly fsType: string; readonly isOneWriter: boolean },
): CsiVolume['fsGroup'] {
  switch (driver?.spec.fsGroupPolicy) {
    case 'File':
      return 'apply';
    case 'None':
      return 'leave';
    default:
      return fsType !== '' && isOneWriter ? 'apply' : 'leave';
  }
}
