// Volumes of CSI drivers on this node: staged once for each volume, published once for each pod, and both undone with the
// last that used them. The driver mounts; nothing is mounted here.
// https://github.com/container-storage-interface/spec/blob/master/spec.md#node-service-rpc
//
// Invariant: a record is written before the driver is called and goes after it has been told to undo, so a crash at any
// moment leaves nothing published that nobody remembers.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { PodUid } from '../../../base/brand.ts';
import { errnoOf, writeFileAtomic } from '../../../base/files.ts';
import {
  csiRecordsDir,
  csiSocket,
  csiStagingDir,
  type MachineDirs,
  runPodsDir,
  volumeDir,
} from '../../layout.ts';
import type { VolumeConfig } from '../../model/volume.ts';
import { applyFsGroup, type FsGroup } from '../fs-group.ts';
import { type CsiCall, type CsiDriver, withDriver } from './csi-client.ts';

type CsiVolume = Extract<VolumeConfig, { kind: 'csi' }>;

type CsiRecord = Pick<CsiVolume, 'name' | 'driver' | 'volumeHandle' | 'lifecycle'>;

export async function setUpCsi(
  { dirs, uid }: { readonly dirs: MachineDirs; readonly uid: PodUid },
  volume: CsiVolume,
  fsGroup: FsGroup | undefined,
): Promise<void> {
  const { name, driver, volumeHandle, lifecycle } = volume;
  const record: CsiRecord = { name, driver, volumeHandle, lifecycle };
  const target = volumeDir(dirs, uid, name);
  await mkdir(csiRecordsDir(dirs, uid), { recursive: true, mode: 0o700 });
  await writeFileAtomic(recordPath(dirs, uid, name), JSON.stringify(record));
  await inTurn(record, () =>
    withDriver(driverOf(dirs, driver), async (call) => {
      const can = await capabilitiesOf(call);
      const takesGroup = fsGroup !== undefined && can.has('VOLUME_MOUNT_GROUP');
      const mount = {
        fsType: volume.fsType,
        mountFlags: volume.mountFlags,
        ...(takesGroup ? { volumeMountGroup: String(fsGroup.gid) } : {}),
      };
      const common = {
        volumeId: volumeHandle,
        volumeCapability: { mount, accessMode: { mode: volume.accessMode } },
        volumeContext: volume.attributes,
      };
      const isStaged = lifecycle === 'Persistent' && can.has('STAGE_UNSTAGE_VOLUME');
      const staging = isStaged ? { stagingTargetPath: stagingOf(dirs, record) } : {};
      if (isStaged) {
        await mkdir(stagingOf(dirs, record), { recursive: true, mode: 0o700 });
        await call('NodeStageVolume', { ...common, ...staging });
      }
      const publish = { targetPath: target, readonly: volume.readOnly, secrets: volume.secrets };
      await call('NodePublishVolume', { ...common, ...staging, ...publish });
      if (fsGroup !== undefined && !takesGroup && !volume.readOnly && volume.fsGroup === 'apply')
        await applyFsGroup(target, fsGroup);
    }),
  );
}

/** The undo of setUpCsi for all of the pod's volumes; works also where it ran half or never. */
export async function removeCsi(dirs: MachineDirs, uid: PodUid): Promise<void> {
  for (const record of recordsOf(dirs, uid)) {
    await inTurn(record, () =>
      withDriver(driverOf(dirs, record.driver), async (call) => {
        const { name, volumeHandle: volumeId } = record;
        await call('NodeUnpublishVolume', { volumeId, targetPath: volumeDir(dirs, uid, name) });
        if (record.lifecycle === 'Persistent' && !isUsedElsewhere(dirs, uid, record))
          await unstage(dirs, record, call);
        await rm(recordPath(dirs, uid, name), { force: true });
      }),
    );
  }
}

async function unstage(dirs: MachineDirs, record: CsiRecord, call: CsiCall): Promise<void> {
  const stagingTargetPath = stagingOf(dirs, record);
  if ((await capabilitiesOf(call)).has('STAGE_UNSTAGE_VOLUME'))
    await call('NodeUnstageVolume', { volumeId: record.volumeHandle, stagingTargetPath });
  // Not recursively: what the driver left mounted there would be deleted.
  for (const directory of [stagingTargetPath, dirname(stagingTargetPath)]) await removeEmpty(directory);
}

async function removeEmpty(directory: string): Promise<void> {
  try {
    await rmdir(directory);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EBUSY'].includes(errnoOf(error) ?? '')) throw error;
  }
}

async function capabilitiesOf(call: CsiCall): Promise<ReadonlySet<string>> {
  const { capabilities = [] } = (await call('NodeGetCapabilities', {})) as {
    readonly capabilities?: readonly { readonly rpc?: { readonly type?: string } }[];
  };
  return new Set(capabilities.flatMap(({ rpc }) => rpc?.type ?? []));
}

const driverOf = (dirs: MachineDirs, name: string): CsiDriver => ({ name, socket: csiSocket(dirs, name) });
const recordPath = (dirs: MachineDirs, uid: PodUid, name: string): string =>
  join(csiRecordsDir(dirs, uid), `${name}.json`);

function stagingOf(dirs: MachineDirs, { driver, volumeHandle }: CsiRecord): string {
  return csiStagingDir(dirs, driver, createHash('sha256').update(volumeHandle).digest('hex'));
}

function recordsOf(dirs: MachineDirs, uid: PodUid): readonly CsiRecord[] {
  const directory = csiRecordsDir(dirs, uid);
  return namesIn(directory)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(join(directory, name), 'utf8')) as CsiRecord);
}

function isUsedElsewhere(dirs: MachineDirs, uid: PodUid, { driver, volumeHandle }: CsiRecord): boolean {
  const others = namesIn(runPodsDir(dirs)).filter((other) => other !== uid) as PodUid[];
  return others.some((other) =>
    recordsOf(dirs, other).some((one) => one.driver === driver && one.volumeHandle === volumeHandle),
  );
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** The last work on each volume: two pods neither stage it at once nor take it from under one another. */
const turns = new Map<string, Promise<unknown>>();

async function inTurn(record: CsiRecord, work: () => Promise<void>): Promise<void> {
  const key = `${record.driver}/${record.volumeHandle}`;
  const turn = (turns.get(key) ?? Promise.resolve()).then(work);
  const settled = turn.catch(() => {});
  turns.set(key, settled);
  try {
    await turn;
  } finally {
    if (turns.get(key) === settled) turns.delete(key);
  }
}
