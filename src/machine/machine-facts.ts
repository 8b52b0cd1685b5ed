// What this machine can do, found out once: capabilities, out-of-memory floor, device nodes, kind of cgroup tree.
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../base/log.ts';
import { cgroupLayout } from './cgroups/layout.ts';
import { availableCapabilities } from './runtime/capabilities.ts';
import type { MachineFacts, OciDevice } from './runtime/oci-spec.ts';

/** Device nodes of the host for privileged containers; pseudo terminals are each container's own. */
function hostDevices(dir = '/dev'): OciDevice[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry): OciDevice[] => {
    const path = join(dir, entry.name);
    if (entry.isDirectory() && !entry.isSymbolicLink())
      return ['pts', 'shm', 'mqueue', 'fd', '.lxc'].includes(entry.name) ? [] : hostDevices(path);
    if ((!entry.isCharacterDevice() && !entry.isBlockDevice()) || ['ptmx', 'console'].includes(entry.name))
      return [];
    const { rdev } = lstatSync(path);
    // glibc's major() and minor() of a 64-bit device number.
    const major = ((rdev >> 8) & 0xfff) | (Math.floor(rdev / 2 ** 32) & ~0xfff);
    const minor = (rdev & 0xff) | (Math.floor(rdev / 2 ** 12) & ~0xff & 0xffffff);
    return [{ path, type: entry.isCharacterDevice() ? 'c' : 'b', major, minor }];
  });
}

export function machineFacts(log: Log): MachineFacts {
  const facts: MachineFacts = {
    cgroupVersion: cgroupLayout().version,
    capabilities: availableCapabilities(),
    oomScoreAdj: Number(readFileSync('/proc/self/oom_score_adj', 'utf8')),
    devices: hostDevices(),
  };
  if (!facts.capabilities.has('CAP_SYS_RESOURCE')) {
    log.warn('CAP_SYS_RESOURCE is missing: out-of-memory scores are not lowered', {
      floor: facts.oomScoreAdj,
    });
  }
  return facts;
}
