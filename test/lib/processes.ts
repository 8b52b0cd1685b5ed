// The processes of a pod as the kernel shows them: everything in a cgroup whose path has the pod's uid.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

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

/** Those whose pid was there at two looks: not the short-lived children of a loop. */
export async function lastingProcessesOf(podUid: string): Promise<readonly PodProcess[]> {
  const before = new Map(processesOf(podUid).map(({ pid, command }) => [pid, command]));
  await sleep(1_000);
  return processesOf(podUid).filter(({ pid, command }) => before.get(pid) === command);
}

type NamespaceKind = 'net' | 'ipc' | 'uts' | 'pid' | 'mnt';

/** "net:[4026532281]": each namespace of that kind that a process of the pod is in. */
export function namespacesOf(podUid: string, kind: NamespaceKind): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { pid } of processesOf(podUid)) {
    try {
      found.add(readlinkSync(`/proc/${pid}/ns/${kind}`));
    } catch {
      // It ended since it was listed.
    }
  }
  return found;
}
