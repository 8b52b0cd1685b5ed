// Which control group hierarchies this machine has and where they are mounted: version 1, version 2, or both (hybrid).
import { readFileSync } from 'node:fs';

export type CgroupVersion = 'v1' | 'v2' | 'hybrid';

export type CgroupLayout = {
  readonly version: CgroupVersion;
  /** Mount point by controller ("memory", "name=systemd"). */
  readonly v1: ReadonlyMap<string, string>;
  readonly unified?: string | undefined;
};

/** Reads /proc/self/mountinfo: "... - cgroup cgroup rw,memory" and "... - cgroup2 ...". */
export function cgroupLayout(mountinfo: string = readFileSync('/proc/self/mountinfo', 'utf8')): CgroupLayout {
  const v1 = new Map<string, string>();
  let unified: string | undefined;
  for (const line of mountinfo.split('\n')) {
    const [front = '', back = ''] = line.split(' - ');
    const mountPoint = front.split(' ')[4] ?? '';
    const [type, , options = ''] = back.split(' ');
    if (!mountPoint.startsWith('/sys/fs/cgroup')) continue;
    if (type === 'cgroup2') unified ??= mountPoint;
    if (type !== 'cgroup') continue;
    for (const option of options.split(',')) {
      if (
        !['rw', 'ro', 'xattr', 'clone_children', 'noprefix'].includes(option) &&
        !/^release_agent=/.test(option)
      )
        v1.set(option, mountPoint);
    }
  }
  const version = v1.size === 0 ? 'v2' : unified === undefined ? 'v1' : 'hybrid';
  return { version, v1, unified };
}
