// The volumes of a pod: set up, listed, taken away. Not which container mounts what (sub-path.ts finds the directory to
// bind) and not what is in a configMap (the agent has resolved the files).
//
// Invariant: a volume has a record in the run dir exactly when it is set up, and the record is written last. Records go
// with a reboot as tmpfs mounts do; then the volume is set up again, and an emptyDir on disk keeps its files.
import { rmSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import type { PodUid } from '../../base/brand.ts';
import { errorText, PodwrightError } from '../../base/errors.ts';
import { mountReadOnly, type RootfsSource } from '../images/rootfs.ts';
import { type MachineDirs, subPathsDir, volumeDir, volumeRecordsDir, volumesDir } from '../layout.ts';
import type { VolumeConfig, VolumeSetup } from '../model/volume.ts';
import { unmountBelow } from '../system/mountinfo.ts';
import { removeCsi, setUpCsi } from './csi/csi-volume.ts';
import { setUpEmptyDir, setUpMedium } from './empty-dir.ts';
import { writeFilesVolume } from './files-volume.ts';
import { applyFsGroup, type FsGroup } from './fs-group.ts';
import { checkHostPath } from './host-path.ts';
import { readRecord, writeRecord } from './volume-record.ts';

export { resolveMount, volumeAttributes } from './sub-path.ts';
export { listVolumes, volumeRecords } from './volume-record.ts';

export type VolumesContext = {
  readonly dirs: MachineDirs;
  readonly images: Pick<RootfsSource, 'layers'>;
};

type Pod = VolumesContext & Pick<VolumeSetup, 'fsGroup' | 'fsGroupChangePolicy'> & { readonly uid: PodUid };

/**
 * Brings the pod's volumes to what is asked: sets up missing ones, rewrites changed files, leaves the rest. Volumes are
 * independent of one another; one that fails does not keep the others from being set up. Throws MountFailed with the
 * kubelet's words ("MountVolume.SetUp failed for volume ..."), or the signal's reason.
 */
export async function setUpVolumes(
  context: VolumesContext,
  setup: VolumeSetup,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const { dirs } = context;
  const { fsGroup, fsGroupChangePolicy } = setup;
  const pod: Pod = { ...context, uid: setup.pod.uid, fsGroup, fsGroupChangePolicy };
  await mkdir(volumeRecordsDir(dirs, pod.uid), { recursive: true, mode: 0o700 });
  await mkdir(volumesDir(dirs, pod.uid), { recursive: true, mode: 0o700 });
  const results = await Promise.allSettled(setup.volumes.map((volume) => setUpVolume(pod, volume)));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  signal.throwIfAborted();
}

async function setUpVolume(pod: Pod, volume: VolumeConfig): Promise<void> {
  try {
    const isSetUp = readRecord(pod.dirs, pod.uid, volume.name) !== undefined;
    // The files of a volume may change in its life; the others are as they were made.
    if (isSetUp && volume.kind !== 'files') return;
    await makeVolume(pod, volume);
    if (!isSetUp) await writeRecord(pod.dirs, pod.uid, volume);
  } catch (error) {
    const message = `MountVolume.SetUp failed for volume "${volume.name}" : ${errorText(error)}`;
    throw new PodwrightError('MountFailed', message, { cause: error });
  }
}

async function makeVolume(pod: Pod, volume: VolumeConfig): Promise<void> {
  const directory = volumeDir(pod.dirs, pod.uid, volume.name);
  switch (volume.kind) {
    case 'emptyDir':
      return setUpEmptyDir(directory, volume, pod.fsGroup);
    case 'hostPath':
      return checkHostPath(volume);
    case 'files':
      await setUpMedium(directory, volume);
      return writeFilesVolume(directory, volume.files, pod.fsGroup);
    case 'local': {
      await checkHostPath({ ...volume, type: 'Directory' });
      const group = fsGroupOf(pod);
      return volume.readOnly || group === undefined ? undefined : applyFsGroup(volume.path, group);
    }
    case 'csi':
      return setUpCsi(pod, volume, fsGroupOf(pod));
    case 'image':
      return mountReadOnly(await pod.images.layers(volume.imageId), directory);
  }
}

function fsGroupOf({ fsGroup: gid, fsGroupChangePolicy: changePolicy = 'Always' }: Pod): FsGroup | undefined {
  return gid === undefined ? undefined : { gid, changePolicy };
}

/**
 * The undo of setUpVolumes; works also where it ran half or never. Nothing outside the pod's own directories is touched:
 * a hostPath was never mounted there, and what containers or others mounted below is unmounted before anything is deleted.
 */
export async function removeVolumes(dirs: MachineDirs, uid: PodUid): Promise<void> {
  const [records, subPaths, volumes] = [
    volumeRecordsDir(dirs, uid),
    subPathsDir(dirs, uid),
    volumesDir(dirs, uid),
  ];
  await removeCsi(dirs, uid);
  // First the records: a volume half removed is not set up. They and the mount points are few and Podwright's own, so
  // the quick way does; what containers wrote may be much and is not waited for in one go.
  rmSync(records, { recursive: true, force: true });
  await unmountBelow(subPaths, volumes);
  rmSync(subPaths, { recursive: true, force: true });
  await rm(volumes, { recursive: true, force: true });
}
