// Volumes as the machine sets them up: what each kind is made from.
import type { PodIdentity } from './pod-identity.ts';

export type VolumeFile = {
  /** Relative, without "..": "config/app.conf". */
  readonly path: string;
  readonly content: Uint8Array;
  readonly mode: number;
  /** Its owner; absent: root. */
  readonly uid?: number | undefined;
};

export type VolumeConfig =
  | {
      readonly kind: 'emptyDir';
      readonly name: string;
      readonly medium: 'disk' | 'memory';
      readonly sizeLimitBytes?: number | undefined;
    }
  | {
      readonly kind: 'hostPath';
      readonly name: string;
      readonly path: string;
      /** Kubernetes' HostPathType; "" checks nothing. */
      readonly type:
        | ''
        | 'DirectoryOrCreate'
        | 'Directory'
        | 'FileOrCreate'
        | 'File'
        | 'Socket'
        | 'CharDevice'
        | 'BlockDevice';
      readonly readOnly?: boolean | undefined;
    }
  /** configMap, secret, downwardAPI, projected: files the agent has already resolved; memory keeps them off the disk. */
  | {
      readonly kind: 'files';
      readonly name: string;
      readonly medium: 'disk' | 'memory';
      readonly files: readonly VolumeFile[];
    }
  /** A directory of the node that outlives the pod: a PersistentVolume of type local. Never removed. */
  | { readonly kind: 'local'; readonly name: string; readonly path: string; readonly readOnly: boolean }
  /** What a CSI driver publishes; it listens at <data-dir>/plugins/<driver>/csi.sock. */
  | {
      readonly kind: 'csi';
      readonly name: string;
      readonly driver: string;
      readonly volumeHandle: string;
      /** Ephemeral volumes are made by being published; persistent ones are staged before. */
      readonly lifecycle: 'Ephemeral' | 'Persistent';
      readonly readOnly: boolean;
      readonly accessMode: 'SINGLE_NODE_WRITER' | 'MULTI_NODE_READER_ONLY' | 'MULTI_NODE_MULTI_WRITER';
      readonly fsType: string;
      readonly mountFlags: readonly string[];
      readonly attributes: Readonly<Record<string, string>>;
      /** For publishing; kept nowhere. */
      readonly secrets: Readonly<Record<string, string>>;
      /** Whether the pod's fsGroup gets what is in it, where the driver does not see to that itself. */
      readonly fsGroup: 'apply' | 'leave';
    }
  /** The content of an image in the local store, read-only (KEP-4639). */
  | { readonly kind: 'image'; readonly name: string; readonly imageId: string };

export type VolumeSetup = {
  readonly pod: PodIdentity;
  readonly volumes: readonly VolumeConfig[];
  /** securityContext.fsGroup: group of the volumes' files, which become group-writable and setgid. */
  readonly fsGroup?: number | undefined;
  /** Of volumes that outlive the pod; the others are always changed. Absent: Always. */
  readonly fsGroupChangePolicy?: 'Always' | 'OnRootMismatch' | undefined;
};
