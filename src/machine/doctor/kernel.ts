// The doctor's questions to the kernel.
import { existsSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';
import { readIfExists } from '../../base/files.ts';
import { type CgroupLayout, cgroupLayout } from '../cgroups/layout.ts';
import { availableCapabilities } from '../runtime/capabilities.ts';
import type { Finding } from './finding.ts';

export function examineRoot(): Finding {
  const uid = process.getuid?.();
  if (uid === 0) return { topic: 'user', state: 'ok', found: 'root' };
  const remedy = 'run podwright as root (sudo): it makes namespaces, mounts and cgroups';
  return { topic: 'user', state: 'missing', found: `uid ${uid}`, remedy };
}

/** openat2, which keeps volume paths inside their volume. */
const KERNEL_MIN = [5, 6] as const;

export function examineKernel(text: string = release()): Finding {
  const [major = 0, minor = 0] = text.split('.').map(Number.parseFloat);
  const isEnough = major > KERNEL_MIN[0] || (major === KERNEL_MIN[0] && minor >= KERNEL_MIN[1]);
  if (isEnough) return { topic: 'kernel', state: 'ok', found: text };
  return {
    topic: 'kernel',
    state: 'missing',
    found: text,
    remedy: `Linux ${KERNEL_MIN.join('.')} or newer (openat2)`,
  };
}

const CONTROLLERS = ['cpu', 'memory', 'pids'];

/** `onV2` is the content of cgroup.controllers, "" without a v2 tree. */
export function judgeCgroups({ version, v1 }: CgroupLayout, onV2: string): Finding {
  const topic = 'cgroups';
  const v1Names = [...v1.keys()].filter((name) => !name.startsWith('name='));
  const v2Names = onV2.split(/\s+/).filter((name) => name !== '');
  const parts = [
    ...(version === 'v2' ? [] : [`v1: ${v1Names.join(' ')}`]),
    ...(version === 'v1' ? [] : [`v2: ${v2Names.join(' ') || 'no controllers'}`]),
  ];
  const found = `${version} (${parts.join('; ')})`;
  const lacking = CONTROLLERS.filter((name) => !v1Names.includes(name) && !v2Names.includes(name));
  if (lacking.length > 0) {
    const remedy = `turn on ${lacking.join(', ')}: kernel command line cgroup_enable=memory, or systemd's unified tree`;
    return { topic, state: 'missing', found, remedy };
  }
  if (version === 'v2') return { topic, state: 'ok', found };
  const unified = 'Kubernetes wants v2 since 1.35: kernel command line systemd.unified_cgroup_hierarchy=1';
  if (version === 'v1' || v2Names.length === 0) return { topic, state: 'warning', found, remedy: unified };
  const mounts = v2Names.map(
    (name) => `mkdir -p /sys/fs/cgroup/${name} && mount -t cgroup -o ${name} cgroup /sys/fs/cgroup/${name}`,
  );
  return {
    topic,
    state: 'warning',
    found,
    remedy: `crun before 1.9 refuses this; move to v1 what is on v2: ${mounts.join(' && ')}`,
  };
}

export async function examineCgroups(): Promise<Finding> {
  const layout = cgroupLayout();
  const { unified } = layout;
  return judgeCgroups(
    layout,
    unified === undefined ? '' : ((await readIfExists(join(unified, 'cgroup.controllers'))) ?? ''),
  );
}

export async function examineNamespaces(): Promise<Finding> {
  const needed = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'uts'];
  const present = await readdir('/proc/self/ns');
  const lacking = needed.filter((name) => !present.includes(name));
  if (lacking.length === 0) return { topic: 'namespaces', state: 'ok', found: needed.join(' ') };
  const remedy = 'a kernel with these namespaces; a container without privileges has none to give';
  return { topic: 'namespaces', state: 'missing', found: `without ${lacking.join(', ')}`, remedy };
}

export async function examineSeccomp(): Promise<Finding> {
  const actions = await readIfExists('/proc/sys/kernel/seccomp/actions_avail');
  if (actions?.includes('errno')) return { topic: 'seccomp', state: 'ok', found: 'filters' };
  const remedy =
    'a kernel with CONFIG_SECCOMP_FILTER; until then: securityContext.seccompProfile.type Unconfined';
  return { topic: 'seccomp', state: 'missing', found: 'no filters', remedy };
}

const NEEDED_CAPABILITIES = [
  'CAP_SYS_ADMIN',
  'CAP_NET_ADMIN',
  'CAP_CHOWN',
  'CAP_SETUID',
  'CAP_SETGID',
  'CAP_KILL',
  'CAP_MKNOD',
];

export function examineCapabilities(
  available: ReadonlySet<string> = availableCapabilities(),
): readonly Finding[] {
  const lacking = NEEDED_CAPABILITIES.filter((name) => !available.has(name));
  const needed: Finding =
    lacking.length === 0
      ? { topic: 'capabilities', state: 'ok', found: `${available.size} in the bounding set` }
      : {
          topic: 'capabilities',
          state: 'missing',
          found: `without ${lacking.join(', ')}`,
          remedy: 'a machine, or a container, that is given them (docker run --privileged)',
        };
  if (available.has('CAP_SYS_RESOURCE')) return [needed];
  const consequence =
    'without it out-of-memory scores are not lowered and no rlimit is raised; pods run all the same';
  return [needed, { topic: 'CAP_SYS_RESOURCE', state: 'warning', found: 'missing', remedy: consequence }];
}

export function examineForwarding(): Finding {
  const path = '/proc/sys/net/ipv4/ip_forward';
  const isOn = existsSync(path) && readFileSync(path, 'utf8').trim() === '1';
  const found = isOn ? 'on' : 'off; the engine turns it on when it starts';
  return { topic: 'ip_forward', state: 'ok', found };
}
