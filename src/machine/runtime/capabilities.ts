// Linux capabilities by name, the set a container gets, and what this machine can give.
import { readFileSync } from 'node:fs';

/** In the kernel's order: the index is the capability's number (linux/capability.h). */
export const CAPABILITIES = [
  'CHOWN',
  'DAC_OVERRIDE',
  'DAC_READ_SEARCH',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'LINUX_IMMUTABLE',
  'NET_BIND_SERVICE',
  'NET_BROADCAST',
  'NET_ADMIN',
  'NET_RAW',
  'IPC_LOCK',
  'IPC_OWNER',
  'SYS_MODULE',
  'SYS_RAWIO',
  'SYS_CHROOT',
  'SYS_PTRACE',
  'SYS_PACCT',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_NICE',
  'SYS_RESOURCE',
  'SYS_TIME',
  'SYS_TTY_CONFIG',
  'MKNOD',
  'LEASE',
  'AUDIT_WRITE',
  'AUDIT_CONTROL',
  'SETFCAP',
  'MAC_OVERRIDE',
  'MAC_ADMIN',
  'SYSLOG',
  'WAKE_ALARM',
  'BLOCK_SUSPEND',
  'AUDIT_READ',
  'PERFMON',
  'BPF',
  'CHECKPOINT_RESTORE',
].map((name) => `CAP_${name}`);

/** containerd's default set, which is what pods on most clusters get. */
const DEFAULTS = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FSETID',
  'FOWNER',
  'MKNOD',
  'NET_RAW',
  'SETGID',
  'SETUID',
  'SETFCAP',
  'SETPCAP',
  'NET_BIND_SERVICE',
  'SYS_CHROOT',
  'KILL',
  'AUDIT_WRITE',
].map((name) => `CAP_${name}`);

/** What the engine's own bounding set holds: nothing can be given beyond it. */
export function availableCapabilities(
  status: string = readFileSync('/proc/self/status', 'utf8'),
): ReadonlySet<string> {
  const bounding = BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
  return new Set(CAPABILITIES.filter((_, number) => ((bounding >> BigInt(number)) & 1n) === 1n));
}

export type CapabilityWish = {
  readonly privileged: boolean;
  readonly addCapabilities: readonly string[];
  readonly dropCapabilities: readonly string[];
};

const fullName = (name: string): string => {
  const upper = name.toUpperCase();
  return upper === 'ALL' || upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
};

/** Drops are taken from the default set and additions put on top, as containerd does: drop ALL + add X leaves X. */
export function capabilitiesOf(wish: CapabilityWish, available: ReadonlySet<string>): string[] {
  const add = wish.addCapabilities.map(fullName);
  const drop = wish.dropCapabilities.map(fullName);
  const base = wish.privileged || add.includes('ALL') ? CAPABILITIES : DEFAULTS;
  const kept = drop.includes('ALL') && !wish.privileged ? [] : base.filter((name) => !drop.includes(name));
  const all = new Set([...kept, ...add.filter((name) => name !== 'ALL')]);
  return CAPABILITIES.filter((name) => all.has(name) && available.has(name));
}
