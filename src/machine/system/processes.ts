// Processes that are not the engine's children: named so that a reused pid is never mistaken, ended and waited for
// through pidfds, without polling.
import { closeSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { BOUNDS } from '../../base/bounds.ts';
import { errnoOf } from '../../base/files.ts';
import { libc, systemCallError } from './libc.ts';

/** A process for ever: pids come again, a pid with its start time does not (until a reboot). */
export type ProcessName = { readonly pid: number; readonly startTime: string };

const syscall = libc.func('long syscall(long number, ...)');
const rawPoll = libc.func('int poll(_Inout_ void *fds, unsigned long count, int timeoutMs)');
/** pidfd_open(2); new system calls have one number on every architecture. */
const SYS_PIDFD_OPEN = 434;
const POLLIN = 1;
const POLLFD_BYTES = 8;

/** Fields 3 (state) and 22 (start time) of /proc/<pid>/stat; the name in field 2 may hold anything, even ")". */
function statOf(pid: number): { readonly state: string; readonly startTime: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', startTime: fields[19] ?? '' };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return undefined;
    throw error;
  }
}

/** undefined when it is gone already. */
export function processName(pid: number): ProcessName | undefined {
  const stat = statOf(pid);
  return stat === undefined ? undefined : { pid, startTime: stat.startTime };
}

/** A zombie is not alive: it runs nothing and holds nothing. */
export function isAlive(process: ProcessName): boolean {
  const stat = statOf(process.pid);
  return (
    stat !== undefined && stat.startTime === process.startTime && stat.state !== 'Z' && stat.state !== 'X'
  );
}

/** False when the process is gone. `signal` as "SIGTERM", or a number as text ("SIGRTMIN+3" has no name in Node). */
export function sendSignal(target: ProcessName, signal: string): boolean {
  if (!isAlive(target)) return false;
  try {
    process.kill(target.pid, signalNumber(signal));
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return false;
    throw error;
  }
}

/** 15 of "SIGTERM", "TERM" or "15". Unknown names become SIGTERM, as container runtimes do with a bad StopSignal. */
function signalNumber(signal: string): number {
  if (/^\d+$/.test(signal)) return Number(signal);
  const name = signal.startsWith('SIG') ? signal : `SIG${signal}`;
  const realTime = /^SIGRTMIN(?:\+(\d+))?$/.exec(name);
  if (realTime !== null) return 34 + Number(realTime[1] ?? 0);
  const belowMax = /^SIGRTMAX(?:-(\d+))?$/.exec(name);
  if (belowMax !== null) return 64 - Number(belowMax[1] ?? 0);
  return (constants.signals as Readonly<Record<string, number>>)[name] ?? constants.signals.SIGTERM;
}

function openPidfd(pid: number): number | undefined {
  const fd = Number(syscall(SYS_PIDFD_OPEN, 'int', pid, 'uint', 0));
  if (fd >= 0) return fd;
  const error = systemCallError(`open process ${pid}`);
  if (['ESRCH', 'EINVAL'].includes((error as { errno?: string }).errno ?? '')) return undefined;
  throw error;
}

/** One poll(2) on a thread of koffi's: resolves when at least one ended or the time is up. */
function pollOnce(fds: readonly number[], timeoutMs: number): Promise<readonly number[]> {
  const buffer = Buffer.alloc(fds.length * POLLFD_BYTES);
  for (const [index, fd] of fds.entries()) {
    buffer.writeInt32LE(fd, index * POLLFD_BYTES);
    buffer.writeInt16LE(POLLIN, index * POLLFD_BYTES + 4);
  }
  return new Promise((resolve, reject) => {
    rawPoll.async(buffer, fds.length, timeoutMs, (error: unknown) => {
      if (error) reject(error);
      else resolve(fds.filter((_, index) => buffer.readInt16LE(index * POLLFD_BYTES + 6) === 0));
    });
  });
}

/** SIGKILL to all of them, and back when the kernel says that they ended (bounded: one in an uninterruptible wait does not). */
export async function killAndWait(pids: readonly number[]): Promise<void> {
  let open: readonly number[] = pids.flatMap((pid) => openPidfd(pid) ?? []);
  const all = open;
  try {
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        if (errnoOf(error) !== 'ESRCH') throw error;
      }
    }
    const untilMs = Date.now() + BOUNDS.killWaitMs;
    while (open.length > 0 && Date.now() < untilMs) open = await pollOnce(open, untilMs - Date.now());
  } finally {
    for (const fd of all) closeSync(fd);
  }
}
