// Everything on the machine that an engine made for some pod, as the kernel and the directories show it, each with the
// pod it belongs to. leaks.ts answers whether there is anything at all; this, whose it is. Warm sandboxes are nobody's yet,
// and known by their names.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { WARM, warmVeths } from '../leaks.ts';

export type Place = {
  readonly instance: string;
  readonly dataDir: string;
  readonly runDir: string;
  readonly logDir: string;
};

export type Holding = {
  readonly what: string;
  /** undefined: a pod's, but its name does not say whose. */
  readonly owner: { readonly uid: string } | { readonly ip: string } | undefined;
};

const UID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/;
const namesIn = (dir: string): string[] => (existsSync(dir) ? readdirSync(dir) : []);

function named(what: string): Holding {
  const uid = UID.exec(what)?.[0];
  return { what, owner: uid === undefined ? undefined : { uid } };
}

function mounts({ dataDir, runDir }: Place): Holding[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((target) => [dataDir, runDir].some((dir) => target.startsWith(`${dir}/pods/`)))
    .map((target) => named(`mount ${target}`));
}

function cgroups({ instance }: Place): Holding[] {
  return namesIn('/sys/fs/cgroup').flatMap((hierarchy) => {
    const parent = join('/sys/fs/cgroup', hierarchy, `podwright-${instance}`);
    return ['guaranteed', 'burstable', 'besteffort'].flatMap((qos) =>
      namesIn(join(parent, qos))
        .filter((name) => name.startsWith('pod'))
        .map((name) => named(`cgroup ${join(parent, qos, name)}`)),
    );
  });
}

function monitors({ runDir }: Place): Holding[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return /^\S*(conmon|crun|runc) /.test(command) && command.includes(runDir)
        ? [named(`process ${pid} ${command}`)]
        : [];
    } catch {
      return [];
    }
  });
}

function files({ dataDir, runDir, logDir }: Place): Holding[] {
  const dirs = [
    join(dataDir, 'pods'),
    join(runDir, 'pods'),
    join(logDir, 'pods'),
    join(runDir, 'runtime'),
    join(dataDir, 'network/leases'),
    join(dataDir, 'cni/results'),
  ];
  return dirs.flatMap((dir) => namesIn(dir).map((name) => named(`file ${join(dir, name)}`)));
}

/** Host ports: the engine's own maps say which address each leads to. Its services are no pod's. */
function hostPorts({ instance }: Place): Holding[] {
  return ['ports', 'address-ports'].flatMap((map) => {
    const listed = execFileSync('nft', ['list', 'map', 'ip', `podwright-${instance}`, map], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return [...listed.matchAll(/\S+ \. \d+ : (\d+\.\d+\.\d+\.\d+)/g)].map(([rule, ip = '']) => ({
      what: `host port ${rule}`,
      owner: { ip },
    }));
  });
}

/** Pods' interfaces on the engine's bridge. */
export function vethsOf({ instance, dataDir }: Place): readonly string[] {
  const warm = warmVeths([dataDir]);
  return namesIn(`/sys/class/net/pw-${instance}/brif`).filter((name) => !warm.has(name.slice(-8)));
}

export function holdings(place: Place): readonly Holding[] {
  const all = [mounts, cgroups, monitors, files, hostPorts].flatMap((read) => read(place));
  return all.filter(({ what }) => !WARM.test(what));
}
