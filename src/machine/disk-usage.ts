// What a pod has written to the node's disk: its containers' writable layers and logs, its emptyDirs on disk. Counted file
// by file, without holding the engine up, so it is asked for only where somebody must know.
import { lstat, opendir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf } from '../base/files.ts';
import { dataPodDir, logPath, volumeDir } from './layout.ts';
import type { MachineContext } from './machine-context.ts';
import type { DiskUse, PodDiskUsage } from './model/usage.ts';
import type { PodRecord } from './records.ts';

/** lstat(2) counts blocks of this size, whatever the file system's own. */
const BLOCK_BYTES = 512;

/** Of a file, or a directory and all below on the same file system; what goes meanwhile is not counted. */
export async function diskUse(path: string): Promise<DiskUse> {
  const seen = new Set<number>();
  let bytes = 0;
  const visit = async (at: string, device: number | undefined): Promise<void> => {
    const stat = await lstat(at);
    if (device !== undefined && stat.dev !== device) return;
    // A file with several names takes its room once.
    if (seen.has(stat.ino)) return;
    seen.add(stat.ino);
    bytes += stat.blocks * BLOCK_BYTES;
    if (!stat.isDirectory()) return;
    for await (const entry of await opendir(at)) await ifThere(visit(join(at, entry.name), stat.dev));
  };
  await ifThere(visit(path, undefined));
  return { bytes, inodes: seen.size };
}

async function ifThere(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

function sum(uses: readonly DiskUse[]): DiskUse {
  return uses.reduce((a, b) => ({ bytes: a.bytes + b.bytes, inodes: a.inodes + b.inodes }), {
    bytes: 0,
    inodes: 0,
  });
}

export async function podDisk(
  { dirs, volumes }: MachineContext,
  pod: PodRecord | undefined,
): Promise<PodDiskUsage> {
  if (pod === undefined) return { containers: [], volumes: [] };
  const { uid } = pod.identity;
  const names = new Set([...pod.containers.values()].map(({ config }) => config.name));
  const containers = [...names].map(async (name) => {
    const log = dirname(logPath(dirs, pod.identity, name, 0));
    const layers = join(dataPodDir(dirs, uid), 'containers', name);
    return { name, ...sum([await diskUse(layers), await diskUse(log)]) };
  });
  const onDisk = volumes
    .onDisk(uid)
    .map(async (name) => ({ name, ...(await diskUse(volumeDir(dirs, uid, name))) }));
  return { containers: await Promise.all(containers), volumes: await Promise.all(onDisk) };
}
