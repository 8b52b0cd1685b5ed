// What an engine with these directories has on the machine right now, read from the kernel and not from the engine:
// processes, mounts, cgroups, network devices, firewall rules, address leases, directories. A clean machine gives an
// empty list.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

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
      // A dead one that the machine's init has not collected yet (its command line is empty) holds nothing.
      .filter((pid) => commandOf(pid) !== '')
      .filter((pid) => cgroupOf(pid).includes(instance) || dirs.some((dir) => isMonitor(commandOf(pid), dir)))
      .map((pid) => `process ${pid}: ${commandOf(pid).slice(0, 120)}`)
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

function cgroups({ instance }: Traces): string[] {
  const found: string[] = [];
  const walk = (dir: string, depth: number): void => {
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      if (entry.name.includes('pod') && dir.includes(instance)) found.push(`cgroup ${join(dir, entry.name)}`);
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

/** Pods' ends of the network: veths on the engine's bridge and rules that name one of its pods. */
function network({ dirs, instance }: Traces): string[] {
  const bridge = `pw-${instance}`;
  const ports = (): string[] =>
    output('ip', ['-o', 'link', 'show', 'master', bridge]).split('\n').filter(Boolean);
  // The kernel takes a dead pod's interfaces away a moment after its namespace.
  const untilMs = Date.now() + NAMESPACE_END_MS;
  let left = ports();
  while (left.length > 0 && Date.now() < untilMs) left = ports();
  const veths = left.map((line) => `veth ${line.split(':')[1]?.trim() ?? line}`);
  const rules = output('iptables-save', [])
    .split('\n')
    .filter((line) => dirs.some((dir) => line.includes(dir)))
    .map((line) => `rule ${line}`);
  return [...veths, ...rules];
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
  ]);
}

/** Everything of any pod that is still there. The bridge and the engine's own table may stay: no pod's. */
export function tracesOfPods(traces: Traces): readonly string[] {
  return [...processes(traces), ...mounts(traces), ...cgroups(traces), ...network(traces), ...files(traces)];
}
