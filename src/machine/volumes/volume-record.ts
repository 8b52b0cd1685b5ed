// The record of a volume that is set up: its config without the files' content and without secrets, in the run dir. It goes with a reboot, as
// tmpfs mounts do.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PodUid } from '../../base/brand.ts';
import { errnoOf, writeFileAtomic } from '../../base/files.ts';
import { type MachineDirs, volumeDir, volumeRecordsDir } from '../layout.ts';
import type { VolumeConfig } from '../model/volume.ts';
import { isMounted } from './empty-dir.ts';

/** What is remembered of a volume: its config without the files' content. */
export type VolumeRecord =
  | Extract<VolumeConfig, { kind: 'emptyDir' | 'hostPath' | 'image' | 'local' }>
  | Omit<Extract<VolumeConfig, { kind: 'files' }>, 'files'>
  | Omit<Extract<VolumeConfig, { kind: 'csi' }>, 'secrets'>;

/** Names of the volumes that are set up, sorted. */
export function listVolumes(dirs: MachineDirs, uid: PodUid): string[] {
  const names = recordFiles(volumeRecordsDir(dirs, uid)).map((file) => file.slice(0, -RECORD_SUFFIX.length));
  return names.filter((name) => readRecord(dirs, uid, name) !== undefined).sort();
}

export function volumeRecords(dirs: MachineDirs, uid: PodUid): readonly VolumeRecord[] {
  return listVolumes(dirs, uid).flatMap((name) => readRecord(dirs, uid, name) ?? []);
}

// A volume's name is a DNS label, so it has no dot.
const RECORD_SUFFIX = '.json';

function recordFiles(directory: string): string[] {
  try {
    return readdirSync(directory).filter((file) => file.endsWith(RECORD_SUFFIX));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

const recordPath = (dirs: MachineDirs, uid: PodUid, name: string): string =>
  join(volumeRecordsDir(dirs, uid), `${name}${RECORD_SUFFIX}`);

const isMount = (record: VolumeRecord): boolean =>
  record.kind === 'image' || ('medium' in record && record.medium === 'memory');

/** Undefined when the volume is not set up; also when its mount has gone while the run dir stayed. */
export function readRecord(dirs: MachineDirs, uid: PodUid, name: string): VolumeRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(recordPath(dirs, uid, name), 'utf8')) as VolumeRecord;
    return isMount(record) && !isMounted(volumeDir(dirs, uid, name)) ? undefined : record;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

export async function writeRecord(dirs: MachineDirs, uid: PodUid, volume: VolumeConfig): Promise<void> {
  const { files: _files, secrets: _secrets, ...record } = { files: undefined, secrets: undefined, ...volume };
  await writeFileAtomic(recordPath(dirs, uid, volume.name), JSON.stringify(record));
}
