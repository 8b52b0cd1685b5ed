// The OCI runtime configurations of infra and app containers, as pure functions of what is asked and what is known.
// https://github.com/opencontainers/runtime-spec config.md, config-linux.md
//
// Invariants: rlimits are never mentioned (so never raised); oom_score_adj never goes below what the machine allows.

import type { CgroupVersion } from '../cgroups/layout.ts';
import { CPU_PERIOD_US, cpuQuota, cpuShares } from '../cgroups/settings.ts';
import type { OciImageConfig } from '../images/rootfs.ts';
import type { ContainerConfig } from '../model/container.ts';
import type { CgroupResources, SandboxConfig } from '../model/sandbox.ts';
import { capabilitiesOf } from './capabilities.ts';
import { defaultSeccompProfile, type SeccompProfile } from './seccomp-default.ts';
import { SECCOMP_BPF_ANNOTATION } from './seccomp-filter.ts';
import type { ContainerUser } from './users.ts';

export type OciMount = {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
};

type Namespace = { readonly type: string; readonly path?: string };
export type OciDevice = {
  readonly path: string;
  readonly type: 'c' | 'b';
  readonly major: number;
  readonly minor: number;
};

export type OciProcess = {
  readonly terminal: boolean;
  readonly user: { readonly uid: number; readonly gid: number; readonly additionalGids: readonly number[] };
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly capabilities: Readonly<Record<string, readonly string[]>>;
  readonly noNewPrivileges: boolean;
  readonly oomScoreAdj?: number;
};

export type OciSpec = {
  readonly ociVersion: string;
  readonly process: OciProcess;
  readonly root: { readonly path: string; readonly readonly: boolean };
  readonly hostname?: string;
  readonly mounts: readonly OciMount[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly linux: Readonly<Record<string, unknown>>;
};

export type MachineFacts = {
  readonly cgroupVersion: CgroupVersion;
  readonly capabilities: ReadonlySet<string>;
  /** The engine's own; no process may be set below it without CAP_SYS_RESOURCE. */
  readonly oomScoreAdj: number;
  /** For privileged containers. */
  readonly devices: readonly OciDevice[];
};

export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const OCI_VERSION = '1.0.2';

const MASKED_PATHS = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];
const READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

const PROC: OciMount = {
  destination: '/proc',
  type: 'proc',
  source: 'proc',
  options: ['nosuid', 'noexec', 'nodev'],
};
const DEV: OciMount = {
  destination: '/dev',
  type: 'tmpfs',
  source: 'tmpfs',
  options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
};
const DEVPTS: OciMount = {
  destination: '/dev/pts',
  type: 'devpts',
  source: 'devpts',
  options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
};
const MQUEUE: OciMount = {
  destination: '/dev/mqueue',
  type: 'mqueue',
  source: 'mqueue',
  options: ['nosuid', 'noexec', 'nodev'],
};

const access = (isReadOnly: boolean): string => (isReadOnly ? 'ro' : 'rw');
const sysfs = (mode: string): OciMount => ({
  destination: '/sys',
  type: 'sysfs',
  source: 'sysfs',
  options: ['nosuid', 'noexec', 'nodev', mode],
});
const cgroupfs = (mode: string): OciMount => ({
  destination: '/sys/fs/cgroup',
  type: 'cgroup',
  source: 'cgroup',
  options: ['nosuid', 'noexec', 'nodev', 'relatime', mode],
});
export const bindMount = (destination: string, source: string, options: readonly string[]): OciMount => ({
  destination,
  type: 'bind',
  source,
  options: ['rbind', ...options],
});

/** Never lowered below the engine's own where the kernel would refuse it. */
export function allowedOomScoreAdj(wanted: number, facts: MachineFacts): number {
  return facts.capabilities.has('CAP_SYS_RESOURCE') ? wanted : Math.max(wanted, facts.oomScoreAdj);
}

function processCapabilities(names: readonly string[]): OciProcess['capabilities'] {
  // Nothing is inheritable: an unprivileged user's program must not win capabilities by its file's (CVE-2022-24769).
  return { bounding: names, effective: names, permitted: names };
}

const cgroupNamespace = (facts: MachineFacts): Namespace[] =>
  facts.cgroupVersion === 'v2' ? [{ type: 'cgroup' }] : [];

export type InfraSpecInput = {
  readonly config: SandboxConfig;
  readonly rootfs: string;
  readonly args: readonly string[];
  readonly cgroupsPath: string;
  readonly facts: MachineFacts;
};

/** The infra container owns the pod's namespaces, its hostname and sysctls, and can do nothing. */
export function infraSpec({ config, rootfs, args, cgroupsPath, facts }: InfraSpecInput): OciSpec {
  const { network, ipc, pid } = config.namespaces;
  const namespaces: Namespace[] = [{ type: 'mount' }, ...cgroupNamespace(facts)];
  if (network === 'pod') namespaces.push({ type: 'network' }, { type: 'uts' });
  if (ipc === 'pod') namespaces.push({ type: 'ipc' });
  if (pid !== 'node') namespaces.push({ type: 'pid' });
  return {
    ociVersion: OCI_VERSION,
    process: {
      terminal: false,
      user: { uid: 65535, gid: 65535, additionalGids: [] },
      args,
      env: [`PATH=${DEFAULT_PATH}`],
      cwd: '/',
      capabilities: processCapabilities([]),
      noNewPrivileges: true,
      oomScoreAdj: allowedOomScoreAdj(-998, facts),
    },
    root: { path: rootfs, readonly: true },
    ...(network === 'pod' ? { hostname: config.hostname } : {}),
    mounts: [PROC, DEV],
    annotations: {},
    linux: {
      namespaces,
      sysctl: config.sysctls,
      cgroupsPath,
      resources: { devices: [{ allow: false, access: 'rwm' }], cpu: { shares: 2 } },
      maskedPaths: MASKED_PATHS,
      readonlyPaths: READONLY_PATHS,
    },
  };
}

export type ContainerSpecInput = {
  readonly config: ContainerConfig;
  readonly sandbox: SandboxConfig;
  readonly image: OciImageConfig;
  readonly user: ContainerUser;
  readonly rootfs: string;
  readonly infraPid: number;
  /** The process whose PID namespace is joined in place of the sandbox's rule. */
  readonly targetPid?: number | undefined;
  readonly cgroupsPath: string;
  /** The pod's files and volumes, in any order. */
  readonly mounts: readonly OciMount[];
  readonly shmDir: string;
  /** Content of a Localhost profile. */
  readonly seccomp?: SeccompProfile | undefined;
  /** A filter made beforehand, for a runtime that takes one. */
  readonly readyFilter?: ((profile: SeccompProfile) => string | undefined) | undefined;
  readonly facts: MachineFacts;
};

function containerNamespaces({ sandbox, infraPid, targetPid, facts }: ContainerSpecInput): Namespace[] {
  const ofInfra = (type: string, file: string): Namespace => ({ type, path: `/proc/${infraPid}/ns/${file}` });
  const { network, ipc, pid } = sandbox.namespaces;
  const namespaces: Namespace[] = [{ type: 'mount' }, ...cgroupNamespace(facts)];
  if (network === 'pod') namespaces.push(ofInfra('network', 'net'), ofInfra('uts', 'uts'));
  if (ipc === 'pod') namespaces.push(ofInfra('ipc', 'ipc'));
  if (targetPid !== undefined) namespaces.push({ type: 'pid', path: `/proc/${targetPid}/ns/pid` });
  else if (pid === 'pod') namespaces.push(ofInfra('pid', 'pid'));
  else if (pid === 'container') namespaces.push({ type: 'pid' });
  return namespaces;
}

/** Kubernetes' command and args against the image's ENTRYPOINT and CMD: a given command drops the image's CMD too. */
export function commandOf(config: ContainerConfig, image: OciImageConfig): string[] {
  if (config.command !== undefined && config.command.length > 0)
    return [...config.command, ...(config.args ?? [])];
  const args = config.args !== undefined && config.args.length > 0 ? config.args : (image.Cmd ?? []);
  return [...(image.Entrypoint ?? []), ...args];
}

/** Later ones win: what every process gets, the image's, the container's. */
function environmentOf({ config, image, sandbox, user }: ContainerSpecInput): string[] {
  const env = new Map([
    ['PATH', DEFAULT_PATH],
    ['HOSTNAME', sandbox.hostname],
    ['HOME', user.home],
    ...(config.tty ? [['TERM', 'xterm'] as const] : []),
  ]);
  for (const entry of image.Env ?? []) {
    const at = entry.indexOf('=');
    if (at > 0) env.set(entry.slice(0, at), entry.slice(at + 1));
  }
  for (const { name, value } of config.env) env.set(name, value);
  return [...env].map(([name, value]) => `${name}=${value}`);
}

function ociResources(resources: CgroupResources, isPrivileged: boolean): Readonly<Record<string, unknown>> {
  const { cpuRequestMilli, cpuLimitMilli, memoryLimitBytes, pidsLimit } = resources;
  return {
    devices: [{ allow: isPrivileged, access: 'rwm' }],
    cpu: {
      shares: cpuShares(cpuRequestMilli ?? 0),
      ...(cpuLimitMilli === undefined ? {} : { quota: cpuQuota(cpuLimitMilli), period: CPU_PERIOD_US }),
    },
    ...(memoryLimitBytes === undefined ? {} : { memory: { limit: memoryLimitBytes } }),
    ...(pidsLimit === undefined ? {} : { pids: { limit: pidsLimit } }),
  };
}

/** A mount point comes after the mount it lies in. */
function byDepth(mounts: readonly OciMount[]): OciMount[] {
  const depth = (mount: OciMount): number => mount.destination.split('/').filter(Boolean).length;
  return [...mounts].sort((a, b) => depth(a) - depth(b));
}

function containerMounts({ config, mounts, shmDir }: ContainerSpecInput): OciMount[] {
  const mode = access(!config.security.privileged);
  const shm = bindMount('/dev/shm', shmDir, ['rw', 'nosuid', 'noexec', 'nodev']);
  const base = [PROC, DEV, DEVPTS, MQUEUE, sysfs(mode), cgroupfs(mode), shm];
  const asked = new Set(mounts.map((mount) => mount.destination));
  return [...base.filter((mount) => !asked.has(mount.destination)), ...byDepth(mounts)];
}

function seccompOf(
  { config, seccomp }: ContainerSpecInput,
  capabilities: readonly string[],
): SeccompProfile | undefined {
  const { security } = config;
  if (security.privileged || security.seccomp.kind === 'Unconfined') return undefined;
  return security.seccomp.kind === 'Localhost' ? seccomp : defaultSeccompProfile(capabilities);
}

/** Only for the engine's own profiles: what a Localhost profile may say besides is the runtime's to understand. */
function filterAnnotation(
  { config, readyFilter }: ContainerSpecInput,
  profile: SeccompProfile | undefined,
): OciSpec['annotations'] {
  if (profile === undefined || config.security.seccomp.kind === 'Localhost') return {};
  const filter = readyFilter?.(profile);
  return filter === undefined ? {} : { [SECCOMP_BPF_ANNOTATION]: filter };
}

export function containerSpec(input: ContainerSpecInput): OciSpec {
  const { config, image, user, rootfs, cgroupsPath, facts } = input;
  const { security } = config;
  const capabilities = capabilitiesOf(security, facts.capabilities);
  const seccomp = seccompOf(input, capabilities);
  const isUnmasked = security.privileged || security.procMount === 'Unmasked';
  return {
    ociVersion: OCI_VERSION,
    process: {
      terminal: config.tty,
      user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
      args: commandOf(config, image),
      env: environmentOf(input),
      cwd: config.workingDir || image.WorkingDir || '/',
      capabilities: processCapabilities(capabilities),
      noNewPrivileges: !security.allowPrivilegeEscalation && !security.privileged,
      oomScoreAdj: allowedOomScoreAdj(config.oomScoreAdj, facts),
    },
    root: { path: rootfs, readonly: security.readOnlyRootFilesystem },
    mounts: containerMounts(input),
    annotations: filterAnnotation(input, seccomp),
    linux: {
      namespaces: containerNamespaces(input),
      cgroupsPath,
      resources: ociResources(config.resources, security.privileged),
      ...(security.privileged ? { devices: facts.devices } : {}),
      ...(isUnmasked ? {} : { maskedPaths: MASKED_PATHS, readonlyPaths: READONLY_PATHS }),
      ...(seccomp === undefined ? {} : { seccomp }),
      // A mount of the host that comes later reaches the container only where a volume asks for it.
      rootfsPropagation: config.mounts.some((mount) => mount.propagation === 'Bidirectional')
        ? 'shared'
        : 'rslave',
    },
  };
}
