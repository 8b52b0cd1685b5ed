// Control groups: /<parent of this engine>/<qos>/pod<uid>/<container id>, as the kubelet lays them out, on cgroup v1
// (every hierarchy that is mounted), v2, and hybrid trees. The runtimes make the container's own group; the pod's is ours.
//
// Invariant: remove() works on what is half there and ends what still runs in it.
import {
  existsSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { mkdir, rmdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { allToTheirEnds } from '../../base/all-to-their-ends.ts';
import type { PodUid } from '../../base/brand.ts';
import { errnoOf } from '../../base/files.ts';
import type { CgroupResources, QosClass } from '../model/sandbox.ts';
import type { GroupUsage } from '../model/usage.ts';
import { killAndWait } from '../system/processes.ts';
import { type CgroupLayout, cgroupLayout } from './layout.ts';
import { type Setting, settingsV1, settingsV2 } from './settings.ts';
import { groupUsage } from './usage.ts';

const V2_CONTROLLERS = ['cpu', 'memory', 'pids'];
const QOS_DIRS: Record<QosClass, string> = {
  Guaranteed: 'guaranteed',
  Burstable: 'burstable',
  BestEffort: 'besteffort',
};

export const QOS_CLASSES = Object.keys(QOS_DIRS) as readonly QosClass[];
const WARM_DIR = 'warm';

export type Cgroups = {
  /** Paths are relative to the hierarchies' roots and begin with a slash, as the OCI spec's linux.cgroupsPath. */
  podPath(uid: PodUid, qosClass: QosClass): string;
  /** The parent of the groups of warm sandboxes, which are no pod's yet. */
  readonly warmPath: string;
  createPod(path: string, resources: CgroupResources): Promise<void>;
  /** Sets what there is of resources on a group that exists; what is absent stays. */
  apply(path: string, resources: CgroupResources): Promise<void>;
  /** Bytes in use by the group and all below. */
  memoryUsage(path: string): number;
  /** Totals of the group and all below; undefined when it is gone. */
  usage(path: string): GroupUsage | undefined;
  /** Every pod's and every warm sandbox' group that there is, in whatever hierarchy, whoever made it. */
  owned(): readonly { readonly uid: string; readonly path: string }[];
  /** Puts a process into a group of its own, in one hierarchy: enough to account for it and to find it. */
  addProcess(path: string, pid: number): Promise<void>;
  /** Puts an infra container that was made elsewhere into a group of its own, in every hierarchy. */
  moveInfra(pid: number, path: string): Promise<void>;
  /** Every process in it and below. */
  pids(path: string): readonly number[];
  killAll(path: string): Promise<void>;
  /** Kills what runs in it, then removes it and all below, in every hierarchy. */
  remove(path: string): Promise<void>;
  /** Removes the engine's own parent groups, if no pod is left in them. */
  removeParents(): void;
};

/** Times that new processes may appear between two looks at a group that is being killed. */
const KILL_ROUNDS_MAX = 20;

const CGROUP_ROOT = '/sys/fs/cgroup';

export function createCgroups(parent: string, layout: CgroupLayout = cgroupLayout()): Cgroups {
  const { version, v1, unified } = layout;
  // Looked up each time: a hierarchy that is mounted later is used by the runtimes too.
  const roots = (): string[] => {
    if (version === 'v2') return unified === undefined ? [] : [unified];
    return directoriesOf(CGROUP_ROOT).filter(isCgroupFs);
  };

  const set = async (path: string, settings: readonly Setting[]): Promise<void> => {
    for (const [controller, file, value] of settings) {
      const root = version === 'v2' ? unified : v1.get(controller);
      if (root !== undefined) await writeFile(join(root, path, file), value);
    }
  };
  const apply = (path: string, resources: CgroupResources): Promise<void> =>
    set(path, version === 'v2' ? settingsV2(resources) : settingsV1(resources));

  const createPod = async (path: string, resources: CgroupResources): Promise<void> => {
    if (version === 'v2' && unified !== undefined) {
      await createV2(unified, path);
      return apply(path, resources);
    }
    for (const controller of ['cpu', 'memory', 'pids']) {
      const root = v1.get(controller);
      if (root !== undefined) await mkdir(join(root, path), { recursive: true });
    }
    await apply(path, resources);
  };

  const memoryUsage = (path: string): number => {
    const root = version === 'v2' ? unified : v1.get('memory');
    if (root === undefined) return 0;
    const file = version === 'v2' ? 'memory.current' : 'memory.usage_in_bytes';
    return Number(readFileSync(join(root, path, file), 'utf8'));
  };

  const addProcess = async (path: string, pid: number): Promise<void> => {
    const accountingRoot = v1.get('memory') ?? v1.get('pids') ?? unified ?? CGROUP_ROOT;
    await mkdir(join(accountingRoot, path), { recursive: true });
    await writeFile(join(accountingRoot, path, 'cgroup.procs'), String(pid));
  };

  const moveInfra = async (pid: number, path: string): Promise<void> => {
    const targets = roots().map((root) => ({ root, dir: join(root, path) }));
    for (const { root, dir } of targets) {
      await mkdir(dir, { recursive: true });
      if (existsSync(join(root, 'cpuset.cpus'))) inheritCpus(root, path);
    }
    // The first one waits until every processor has passed by (some milliseconds); those right behind it do not.
    for (const { dir } of targets) await writeFile(join(dir, 'cgroup.procs'), String(pid));
    const infra: Setting[] =
      version === 'v2'
        ? [['cpu', 'cpu.weight', '1']]
        : [
            ['cpu', 'cpu.shares', '2'],
            ['devices', 'devices.deny', 'a'],
          ];
    await set(path, infra);
  };

  const pids = (path: string): readonly number[] => [
    ...new Set(roots().flatMap((root) => groupsBelow(join(root, path)).flatMap(pidsOf))),
  ];

  const killAll = async (path: string): Promise<void> => {
    for (let round = 0; round < KILL_ROUNDS_MAX; round++) {
      const alive = pids(path);
      if (alive.length === 0) return;
      await killAndWait(alive);
    }
  };

  const remove = async (path: string): Promise<void> => {
    await killAll(path);
    await allToTheirEnds(
      roots().map(async (root) => {
        for (const dir of groupsBelow(join(root, path))) await removeGroup(dir);
      }),
    );
    if (version !== 'v2') removePlain(path);
  };

  const removeParents = (): void => {
    for (const root of version === 'v2' ? roots() : directoriesOf(CGROUP_ROOT)) {
      for (const dir of [...Object.values(QOS_DIRS), WARM_DIR]) removeEmpty(join(root, parent, dir));
      removeEmpty(join(root, parent));
    }
  };

  const owned = (): readonly { readonly uid: string; readonly path: string }[] => {
    const parents = [...Object.values(QOS_DIRS), WARM_DIR];
    const paths = roots().flatMap((root) =>
      parents.flatMap((dir) => directoriesOf(join(root, parent, dir)).map((one) => one.slice(root.length))),
    );
    return [...new Set(paths)].flatMap((path) => {
      const name = basename(path);
      if (dirname(path) === warmPath) return [{ uid: name.slice(0, name.indexOf('_')), path }];
      return name.startsWith('pod') ? [{ uid: name.slice('pod'.length), path }] : [];
    });
  };

  const warmPath = `/${parent}/${WARM_DIR}`;
  const podPath = (uid: PodUid, qosClass: QosClass): string => `/${parent}/${QOS_DIRS[qosClass]}/pod${uid}`;
  const usage = (path: string): GroupUsage | undefined => groupUsage(layout, path);
  return {
    podPath,
    warmPath,
    createPod,
    apply,
    memoryUsage,
    usage,
    owned,
    addProcess,
    moveInfra,
    pids,
    killAll,
    remove,
    removeParents,
  };
}

function directoriesOf(dir: string): string[] {
  if (!existsSync(dir)) return [];
  const entries = readdirSync(dir, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(dir, entry.name));
}

/** linux/magic.h: CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC. */
const isCgroupFs = (dir: string): boolean => [0x27e0eb, 0x63677270].includes(statfsSync(dir).type);

/**
 * Where a hierarchy was unmounted while the kernel still lists it, runc makes plain directories and files in its place.
 * What those say of processes means nothing.
 */
function removePlain(path: string): void {
  for (const root of directoriesOf(CGROUP_ROOT)) {
    if (!isCgroupFs(root)) rmSync(join(root, path), { recursive: true, force: true });
  }
}

/** cgroup v2: a controller works in a group only if every group above hands it down. */
async function createV2(root: string, path: string): Promise<void> {
  const available = readFileSync(join(root, 'cgroup.controllers'), 'utf8').split(/\s+/);
  const wanted = V2_CONTROLLERS.filter((controller) => available.includes(controller)).map(
    (name) => `+${name}`,
  );
  let dir = root;
  for (const part of path.split('/').filter((one) => one !== '')) {
    await writeFile(join(dir, 'cgroup.subtree_control'), wanted.join(' '));
    dir = join(dir, part);
    await mkdir(dir, { recursive: true });
  }
  await writeFile(join(dir, 'cgroup.subtree_control'), wanted.join(' '));
}

/** cgroup v1: a group of the cpuset hierarchy takes no process before it is told processors and memory nodes. */
function inheritCpus(root: string, path: string): void {
  let dir = root;
  for (const part of path.split('/').filter((one) => one !== '')) {
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      const own = join(dir, part, file);
      if (readFileSync(own, 'utf8').trim() === '') writeFileSync(own, readFileSync(join(dir, file)));
    }
    dir = join(dir, part);
  }
}

/**
 * The group and all groups below, deepest first; none if it does not exist. A group's link count tells how many are below
 * it (two more than that), so a group of its own is not listed: it holds forty files in each of a dozen hierarchies.
 */
function groupsBelow(dir: string): string[] {
  const links = statSync(dir, { throwIfNoEntry: false })?.nlink;
  if (links === undefined) return [];
  if (links === 2) return [dir];
  try {
    const children = readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [...children.flatMap((entry) => groupsBelow(join(dir, entry.name))), dir];
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

function pidsOf(dir: string): number[] {
  try {
    return readFileSync(join(dir, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
  } catch (error) {
    if (['ENOENT', 'ENODEV', 'EOPNOTSUPP'].includes(errnoOf(error) ?? '')) return [];
    throw error;
  }
}

/** Aside: the kernel lets one at a time change groups, and who moves a process keeps the others waiting for milliseconds. */
async function removeGroup(dir: string): Promise<void> {
  try {
    await rmdir(dir);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

function removeEmpty(dir: string): void {
  if (!existsSync(dir)) return;
  try {
    rmdirSync(dir);
  } catch (error) {
    if (!['ENOENT', 'EBUSY', 'ENOTEMPTY'].includes(errnoOf(error) ?? '')) throw error;
  }
}
