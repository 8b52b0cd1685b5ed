// What the parts of the real machine share: where things are, what they stand on, and whom to tell.

import type { PodUid } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Cgroups } from './cgroups/cgroups.ts';
import type { RootfsSource } from './images/rootfs.ts';
import type { MachineDirs } from './layout.ts';
import type { ContainerMount } from './model/container.ts';
import type { ImageStore } from './model/image.ts';
import type { VolumeSetup } from './model/volume.ts';
import type { Network } from './network/network.ts';
import type { Records } from './records.ts';
import type { MachineFacts } from './runtime/oci-spec.ts';
import type { Runtime } from './runtime/runtime.ts';
import type { Runtimes } from './runtime/runtimes.ts';
import type { SeccompProfile } from './runtime/seccomp-default.ts';
import type { VolumeAttributes } from './volumes/sub-path.ts';

/** The volumes of pods; volumes/volumes.ts. */
export type Volumes = {
  setUp(setup: VolumeSetup, signal: AbortSignal): Promise<void>;
  remove(uid: PodUid): Promise<void>;
  list(uid: PodUid): readonly string[];
  /** Those whose content takes room on the node's disk, as long as the pod lives. */
  onDisk(uid: PodUid): readonly string[];
  /** Ids of the images that volumes of the pod show. */
  images(uid: PodUid): readonly string[];
  /** The host path to bind, and what every mount of the volume must keep to. Throws ConfigFailed. */
  resolve(
    uid: PodUid,
    source: Extract<ContainerMount['source'], { readonly kind: 'volume' }>,
  ): Promise<{ readonly path: string } & VolumeAttributes>;
};

/** The infra container's program: a read-only directory that holds it, and how to call it. */
export type Infra = { readonly rootfs: string; readonly args: readonly string[] };

export type MachineContext = {
  readonly dirs: MachineDirs;
  /** Of infra containers, and of containers that ask for no other. */
  readonly runtime: Runtime;
  readonly runtimes: Runtimes;
  readonly facts: MachineFacts;
  /** The BPF of a seccomp profile, base64; undefined where the runtime makes it itself. */
  readyFilter(profile: SeccompProfile, runtime: Runtime): string | undefined;
  readonly cgroups: Cgroups;
  readonly records: Records;
  readonly network: Network;
  readonly volumes: Volumes;
  readonly images: ImageStore & RootfsSource;
  readonly infra: Infra;
  readonly clock: Clock;
  readonly log: Log;
  /** Tells the listeners that something of the pod changed by itself. */
  changed(uid: PodUid): void;
};
