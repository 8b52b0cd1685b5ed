// Which sysctls a pod may set: those that hurt nobody outside it, and what the node allows beside them. Pure.
// https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/#safe-and-unsafe-sysctls
import type { PodSpec } from './api-types.ts';

const SAFE = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_wmem',
];

/** The kernel keeps these per network, and per IPC namespace: no others can be a pod's own. */
const OF_NETWORK = ['net.'];
const OF_IPC = ['kernel.shm', 'kernel.msg', 'kernel.sem', 'fs.mqueue.'];

const isBelow = (name: string, prefixes: readonly string[]): boolean =>
  prefixes.some((prefix) => name.startsWith(prefix));

/** "kernel.msg*,net.core.somaxconn"; undefined: one of them cannot be a pod's own. */
export function parseSysctls(text: string): readonly string[] | undefined {
  const names = text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');
  const isPattern = (one: string): boolean => /^[a-z0-9._-]+\*?$/.test(one);
  return names.every((one) => isPattern(one) && isBelow(one, [...OF_NETWORK, ...OF_IPC])) ? names : undefined;
}

/** The kubelet's words for the first one the pod may not set. @param allowed "a.b.*" is everything below. */
export function forbiddenSysctl(spec: PodSpec, allowed: readonly string[]): string | undefined {
  for (const { name: given } of spec.securityContext?.sysctls ?? []) {
    // "net/ipv4/..." is another spelling of the same.
    const name = given.replaceAll('/', '.');
    const isAllowed = [...SAFE, ...allowed].some((one) =>
      one.endsWith('*') ? name.startsWith(one.slice(0, -1)) : name === one,
    );
    if (!isAllowed) return `forbidden sysctl: "${name}" not allowlisted`;
    if (spec.hostNetwork === true && isBelow(name, OF_NETWORK))
      return `forbidden sysctl: "${name}" not allowed with host net enabled`;
    if (spec.hostIPC === true && isBelow(name, OF_IPC))
      return `forbidden sysctl: "${name}" not allowed with host ipc enabled`;
  }
  return undefined;
}
