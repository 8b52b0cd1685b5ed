// Where the machine keeps what, under names made of (pod uid, container, attempt). The one place that joins such paths.
//
// run dir (gone after a reboot, like the processes it describes):
//   pods/<uid>/pod.json                       identity and what removePod must undo
//   pods/<uid>/sandboxes/<attempt>/           record, infra bundle, hosts, resolv.conf, network result
//   pods/<uid>/containers/<name>/<attempt>/   record, OCI bundle, pid, rootfs (the overlay mount), <container id>: the
//                                             exit code, written by conmon; its mtime is when
//   pods/<uid>/volumes/<name>.json            record: this volume is set up
//   pods/<uid>/csi/<name>.json                record: this volume was published, or is about to be
//   pods/<uid>/subpaths/<name>/<hash>         bind mount of one subPath of a volume
//   warm/<id>/                                infra bundle of a sandbox that is no pod's yet
//   runtime/                                  the OCI runtime's own state (--root)
// data dir (survives a reboot):
//   pods/<uid>/volumes/<name>/                emptyDir and files volumes
//   pods/<uid>/containers/<name>/<attempt>/   upper and work directories of the overlay
//   plugins/<driver>/csi.sock                 where a CSI driver listens; <hash>/globalmount: where it stages a volume
//   persistent-volumes/<name>/                directories of PersistentVolumes made here; they outlive pods
//   storage/                                  containers/storage: images, shared format with Podman and Buildah
//   network/                                  address leases of the engine's own network
//   cni/                                      what CNI plug-ins answered, where the user configured some
// log dir:
//   pods/<namespace>_<name>_<uid>/<container>/<attempt>.log, and .log.<time>[.gz] put aside
import { join } from 'node:path';
import { type ContainerId, containerId, type PodUid } from '../base/brand.ts';
import type { PodIdentity } from './model/pod-identity.ts';

export type MachineDirs = { readonly dataDir: string; readonly runDir: string; readonly logDir: string };

export type InstanceName = { readonly uid: PodUid; readonly name: string; readonly attempt: number };

export function containerIdOf({ uid, name, attempt }: InstanceName): ContainerId {
  return containerId(`${uid}_${name}_${attempt}`);
}

export const runPodsDir = (dirs: MachineDirs): string => join(dirs.runDir, 'pods');
export const runPodDir = (dirs: MachineDirs, uid: PodUid): string => join(runPodsDir(dirs), uid);
export const sandboxDir = (dirs: MachineDirs, uid: PodUid, attempt: number): string =>
  join(runPodDir(dirs, uid), 'sandboxes', String(attempt));
export const containerDir = (dirs: MachineDirs, { uid, name, attempt }: InstanceName): string =>
  join(runPodDir(dirs, uid), 'containers', name, String(attempt));
export const volumeRecordsDir = (dirs: MachineDirs, uid: PodUid): string =>
  join(runPodDir(dirs, uid), 'volumes');
export const csiRecordsDir = (dirs: MachineDirs, uid: PodUid): string => join(runPodDir(dirs, uid), 'csi');
export const subPathsDir = (dirs: MachineDirs, uid: PodUid): string => join(runPodDir(dirs, uid), 'subpaths');
export const warmDirs = (dirs: MachineDirs): string => join(dirs.runDir, 'warm');
export const warmDir = (dirs: MachineDirs, id: string): string => join(warmDirs(dirs), id);
export const runtimeRoot = (dirs: MachineDirs): string => join(dirs.runDir, 'runtime');

export const dataPodDir = (dirs: MachineDirs, uid: PodUid): string => join(dirs.dataDir, 'pods', uid);
export const volumesDir = (dirs: MachineDirs, uid: PodUid): string => join(dataPodDir(dirs, uid), 'volumes');
export const volumeDir = (dirs: MachineDirs, uid: PodUid, volume: string): string =>
  join(volumesDir(dirs, uid), volume);
export const layerDir = (dirs: MachineDirs, { uid, name, attempt }: InstanceName): string =>
  join(dataPodDir(dirs, uid), 'containers', name, String(attempt));
const pluginDir = (dirs: MachineDirs, driver: string): string => join(dirs.dataDir, 'plugins', driver);
export const csiSocket = (dirs: MachineDirs, driver: string): string =>
  join(pluginDir(dirs, driver), 'csi.sock');
export const csiStagingDir = (dirs: MachineDirs, driver: string, hash: string): string =>
  join(pluginDir(dirs, driver), hash, 'globalmount');
/** Not part of any pod: the controller of volumes makes and deletes what is in it. */
export const persistentVolumesDir = (dirs: MachineDirs): string => join(dirs.dataDir, 'persistent-volumes');
export const storageDir = (dirs: MachineDirs): string => join(dirs.dataDir, 'storage');
export const networkDir = (dirs: MachineDirs): string => join(dirs.dataDir, 'network');
export const cniDir = (dirs: MachineDirs): string => join(dirs.dataDir, 'cni');

export const podLogsDir = (dirs: MachineDirs): string => join(dirs.logDir, 'pods');
export const podLogDir = (dirs: MachineDirs, pod: PodIdentity): string =>
  join(podLogsDir(dirs), `${pod.namespace}_${pod.name}_${pod.uid}`);
export const logPath = (dirs: MachineDirs, pod: PodIdentity, container: string, attempt: number): string =>
  join(podLogDir(dirs, pod), container, `${attempt}.log`);
