// The processes of a pod as the kernel shows them: everything in a cgroup whose path has the pod's uid.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export type PodProcess = { readonly pid: number; readonly command: string };

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

export function processesOf(podUid: string): readonly PodProcess[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && textOf(`/proc/${name}/cgroup`).includes(podUid))
    .map((name) => ({
      pid: Number(name),
      command: textOf(`/proc/${name}/cmdline`).replaceAll('\0', ' ').trim(),
    }))
    .filter(({ command }) => command !== '' && !/^\S*conmon /.test(command));
}

/** "net:[4026532281]": equal for two processes that share the namespace. */
export function namespaceOf(pid: number, kind: 'net' | 'ipc' | 'uts' | 'pid' | 'mnt'): string {
  return readlinkSync(`/proc/${pid}/ns/${kind}`);
}
