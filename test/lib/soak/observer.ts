// What the kernel shows of an engine's pods, and the promises that can be read from it alone. It asks the engine nothing.
//
// A look at /proc is not one moment: what seems to break a promise is looked at once more before it counts.
import { readdirSync, readFileSync } from 'node:fs';

/** A live process in a container's or sandbox's cgroup; a monitor is in none of these. */
export type Seen = {
  readonly pid: number;
  /** Clock ticks since boot: a pid alone may come again. */
  readonly startTime: string;
  readonly podUid: string;
  /** undefined: the infra container. */
  readonly container?: string;
  readonly attempt: number;
  readonly command: string;
};

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** State and start time of /proc/<pid>/stat, whose second field may hold spaces and brackets. */
function statOf(pid: number): { readonly state: string; readonly startTime: string } | undefined {
  const text = textOf(`/proc/${pid}/stat`);
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields.length < 20 ? undefined : { state: fields[0] ?? '', startTime: fields[19] ?? '' };
}

export function isStillAlive({ pid, startTime }: Pick<Seen, 'pid' | 'startTime'>): boolean {
  const stat = statOf(pid);
  return stat !== undefined && stat.startTime === startTime && !['Z', 'X'].includes(stat.state);
}

const GROUP = /\/pod([0-9a-f-]{36})\/[0-9a-f-]{36}_(?:([a-z0-9-]+)_)?(\d+)(?:\/|$)/m;

/** Every live process of the engine's containers. */
export function look(instance: string): readonly Seen[] {
  const found: Seen[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const cgroup = textOf(`/proc/${name}/cgroup`);
    if (!cgroup.includes(`/podwright-${instance}/`)) continue;
    const [, podUid, container, attempt] = GROUP.exec(cgroup) ?? [];
    const pid = Number(name);
    const startTime = statOf(pid)?.startTime;
    const command = textOf(`/proc/${name}/cmdline`).replaceAll('\0', ' ').trim();
    if (podUid === undefined || attempt === undefined || startTime === undefined) continue;
    const seen = { pid, startTime, podUid, attempt: Number(attempt), command };
    if (isStillAlive(seen)) found.push(container === undefined ? seen : { ...seen, container });
  }
  return found;
}

/** Pairs of instances of one container that were alive at one moment: there must never be any. */
export function doubled(seen: readonly Seen[]): readonly string[] {
  const byContainer = Map.groupBy(seen, ({ podUid, container }) => `${podUid}/${container ?? 'infra'}`);
  return [...byContainer].flatMap(([name, list]) => {
    const newest = Math.max(...list.map(({ attempt }) => attempt));
    // The newest was seen alive; an older one that is alive now was alive beside it.
    const older = list.filter((one) => one.attempt < newest && isStillAlive(one));
    return older.map(
      (one) => `${name}: attempt ${one.attempt} (pid ${one.pid}, ${one.command}) beside ${newest}`,
    );
  });
}
