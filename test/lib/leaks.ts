// What an engine with these directories has on the machine right now, read from the kernel and not from the engine:
// processes, mounts, cgroups, network devices, firewall rules, address leases, directories. A clean machine gives an
// empty list. A running engine may hold warm sandboxes; they are known by their names, and whatever bears none is a pod's.
import { execFileSync } from 'node:child_process';
import { type Dirent, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../../src/base/files.ts';

/** The id of a warm sandbox, which is in every name it has. */
export const WARM = /\bwarm-[0-9a-f]{8}_0\b/;

export type Traces = { readonly dirs: readonly string[]; readonly instance: string };

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

function cgroupOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  } catch {
    return '';
  }
}

function processes({ dirs, instance }: Traces): string[] {
  return (
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
      .map((pid) => ({ pid, command: commandOf(pid), cgroup: cgroupOf(pid) }))
      // A dead one that the machine's init has not collected yet (its command line is empty) holds nothing.
      .filter(({ command }) => command !== '')
      .filter(
        ({ command, cgroup }) => cgroup.includes(instance) || dirs.some((dir) => isMonitor(command, dir)),
      )
      .map(({ pid, command, cgroup }) => {
        const warm = WARM.exec(command + cgroup)?.[0] ?? '';
        return `process ${pid}: ${command.slice(0, 120)} ${warm}`.trim();
      })
  );
}

const isMonitor = (command: string, dir: string): boolean =>
  /^(\S*sh )?\S*(conmon|crun|runc) /.test(command) && command.includes(dir);

function mounts({ dirs }: Traces): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((target) => dirs.some((dir) => target.startsWith(`${dir}/`)))
    .map((target) => `mount ${target}`);
}

/** None of a directory that has gone meanwhile, with whoever's group it was. */
function entriesOf(dir: string): readonly Dirent[] {
  try {
    return readdirSync(dir, { withFileTypes: true });
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

function cgroups({ instance }: Traces): string[] {
  const found: string[] = [];
  const walk = (dir: string, depth: number): void => {
    for (const entry of entriesOf(dir)) {
      if (!entry.isDirectory()) continue;
      if (/pod|^warm-/.test(entry.name) && dir.includes(instance))
        found.push(`cgroup ${join(dir, entry.name)}`);
      else if (depth > 0) walk(join(dir, entry.name), depth - 1);
    }
  };
  walk('/sys/fs/cgroup', 4);
  return found;
}

function output(program: string, args: readonly string[]): string {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return '';
  }
}

/** Longest that the kernel may take to let go of a network namespace that nobody is in. */
const NAMESPACE_END_MS = 30_000;

/** Veths on the engine's bridge, each with the warm sandbox it belongs to, if any. */
function veths({ dirs, instance }: Traces): string[] {
  const warm = warmVeths(dirs);
  return output('ip', ['-o', 'link', 'show', 'master', `pw-${instance}`])
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split(':')[1]?.trim() ?? line)
    .map((name) => `veth ${name} ${warm.get(/(.{8})@/.exec(name)?.[1] ?? '') ?? ''}`.trim());
}

/** Ends of the network and rules that name a pod. */
function network(where: Traces): string[] {
  // The kernel takes a dead pod's interfaces away a moment after its namespace.
  const untilMs = Date.now() + NAMESPACE_END_MS;
  let left = veths(where);
  while (left.some((veth) => !WARM.test(veth)) && Date.now() < untilMs) left = veths(where);
  const rules = output('iptables-save', [])
    .split('\n')
    .filter((line) => where.dirs.some((dir) => line.includes(dir)))
    .map((line) => `rule ${line}`);
  return [...left, ...rules];
}

/** Warm sandboxes by the last eight letters of their veth's name, which are their address. */
export function warmVeths(dirs: readonly string[]): ReadonlyMap<string, string> {
  const leases = dirs.map((dir) => join(dir, 'network/leases')).filter((dir) => existsSync(dir));
  const found = leases.flatMap((dir) =>
    readdirSync(dir)
      .filter((name) => name.startsWith('warm-'))
      .map((name) => {
        const { address } = JSON.parse(readFileSync(join(dir, name), 'utf8')) as { address: string };
        const digits = address.split('.').map((byte) => Number(byte).toString(16).padStart(2, '0'));
        return [digits.join(''), name] as const;
      }),
  );
  return new Map(found);
}

function filesBelow(dir: string, keep: (name: string) => boolean): string[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir)
    .filter(keep)
    .map((name) => `file ${join(dir, name)}`);
}

function files({ dirs }: Traces): string[] {
  return dirs.flatMap((dir) => [
    ...filesBelow(join(dir, 'pods'), () => true),
    ...filesBelow(join(dir, 'exits'), () => true),
    ...filesBelow(join(dir, 'runtime'), () => true),
    ...filesBelow(join(dir, 'network', 'leases'), () => true),
    ...filesBelow(join(dir, 'cni', 'results'), () => true),
    ...filesBelow(join(dir, 'warm'), () => true),
  ]);
}

/** Everything that any pod or warm sandbox has. The bridge and the engine's own table may stay. */
export function traces(where: Traces): readonly string[] {
  return [...processes(where), ...mounts(where), ...cgroups(where), ...network(where), ...files(where)];
}

/** The same without what bears a warm sandbox' name: everything of any pod that is still there. */
export function tracesOfPods(where: Traces): readonly string[] {
  return traces(where).filter((trace) => !WARM.test(trace));
}
