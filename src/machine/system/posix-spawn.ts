// Starts a program by posix_spawn(3). fork() copies the page tables of the whole engine and stops it meanwhile;
// posix_spawn shares them until the exec, so starting a program costs the same however large the engine is
// (docs/adr/0002-posix-spawn.md has the figures).
//
// Invariants
// - A child holds descriptors 0..n-1 that were asked for and no other: everything here is O_CLOEXEC, and the rest is closed.
// - A child is waited for by its own pid only, when the kernel says SIGCHLD; libuv's children are never reaped here.
// - A child starts with an empty signal mask and every signal at its default.
// - The parent of a posix_spawn stands still until the child has executed its program, which on a busy machine takes
//   milliseconds: a thread of koffi's does that, never the event loop.
import { closeSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { PodwrightError } from '../../base/errors.ts';
import type { Launch, Launched, Stdio } from './launch.ts';
import { errnoName, libc, systemCallError } from './libc.ts';

const pipe2 = libc.func('int pipe2(_Out_ int *fds, int flags)');
const waitpid = libc.func('int waitpid(int pid, _Out_ int *status, int options)');
const posixSpawn = libc.func(
  'int posix_spawn(_Out_ int *pid, const char *path, void *actions, void *attributes, const char **argv, const char **envp)',
);
const actionsInit = libc.func('int posix_spawn_file_actions_init(void *actions)');
const actionsDestroy = libc.func('int posix_spawn_file_actions_destroy(void *actions)');
const addDup2 = libc.func('int posix_spawn_file_actions_adddup2(void *actions, int from, int to)');
const addChdir = libc.func('int posix_spawn_file_actions_addchdir_np(void *actions, const char *path)');
const addCloseFrom = libc.func('int posix_spawn_file_actions_addclosefrom_np(void *actions, int from)');
const attributesInit = libc.func('int posix_spawnattr_init(void *attributes)');
const attributesDestroy = libc.func('int posix_spawnattr_destroy(void *attributes)');
const setFlags = libc.func('int posix_spawnattr_setflags(void *attributes, short flags)');
const setSigdefault = libc.func('int posix_spawnattr_setsigdefault(void *attributes, const void *set)');
const setSigmask = libc.func('int posix_spawnattr_setsigmask(void *attributes, const void *set)');

const O_CLOEXEC = 0o2000000;
const WNOHANG = 1;
const SETSIGDEF = 0x04;
const SETSIGMASK = 0x08;
const SETSID = 0x80;
/** glibc: posix_spawn_file_actions_t is 80 bytes, posix_spawnattr_t 336, sigset_t 128, on every 64-bit machine. */
const ACTIONS_BYTES = 80;
const ATTRIBUTES_BYTES = 336;
const SIGSET_BYTES = 128;

/** Children that have not been waited for yet: pid -> who is told the exit code. */
const children = new Map<number, (exitCode: number) => void>();
/** A signal listener does not keep Node's event loop alive, a timer does: one that never fires, for each call. */
const NEVER_MS = 2 ** 31 - 1;
let listening = false;

/** 128 + n where signal n ended it, as shells and Kubernetes count. */
function exitCodeOf(status: number): number {
  const signal = status & 0x7f;
  return signal === 0 ? (status >> 8) & 0xff : 128 + signal;
}

function reapOne(pid: number, tell: (exitCode: number) => void): void {
  const status = [0];
  if (waitpid(pid, status, WNOHANG) !== pid) return;
  children.delete(pid);
  tell(exitCodeOf(status[0] ?? 0));
}

/** SIGCHLD says that some child ended, not which and not how many: every one of ours is asked, none is waited for. */
function reap(): void {
  for (const [pid, tell] of children) reapOne(pid, tell);
}

function pipe(): { read: number; write: number } {
  const fds = [0, 0];
  if (pipe2(fds, O_CLOEXEC) !== 0) throw systemCallError('make a pipe');
  return { read: fds[0] as number, write: fds[1] as number };
}

const mustBeZero = (error: number, doing: string): void => {
  if (error !== 0) throw new PodwrightError('SystemCall', `${doing}: ${errnoName(error)}`);
};

type SpawnArguments = readonly [
  pid: number[],
  path: string,
  actions: Buffer,
  attributes: Buffer,
  argv: readonly (string | null)[],
  environment: readonly (string | null)[],
];

/** The error's number, or 0. */
const onThread = (spawning: SpawnArguments): Promise<number> =>
  new Promise((resolve, reject) => {
    posixSpawn.async(...spawning, (error: unknown, result: number) => {
      if (error) reject(error);
      else resolve(result);
    });
  });

async function spawnWith(launch: Launch, fds: readonly number[]): Promise<number> {
  const actions = Buffer.alloc(ACTIONS_BYTES);
  const attributes = Buffer.alloc(ATTRIBUTES_BYTES);
  mustBeZero(actionsInit(actions), 'prepare a program');
  mustBeZero(attributesInit(attributes), 'prepare a program');
  try {
    // A source below n could be overwritten before its turn: all are first lifted above every number in play.
    const lift = Math.max(...fds, fds.length) + 1;
    for (const [index, fd] of fds.entries())
      mustBeZero(addDup2(actions, fd, lift + index), 'prepare descriptors');
    for (const index of fds.keys()) mustBeZero(addDup2(actions, lift + index, index), 'prepare descriptors');
    mustBeZero(addCloseFrom(actions, fds.length), 'prepare descriptors');
    if (launch.cwd !== undefined) mustBeZero(addChdir(actions, launch.cwd), 'prepare the directory');
    mustBeZero(setFlags(attributes, SETSIGDEF | SETSIGMASK | SETSID), 'prepare signals');
    mustBeZero(setSigdefault(attributes, Buffer.alloc(SIGSET_BYTES, 0xff)), 'prepare signals');
    mustBeZero(setSigmask(attributes, Buffer.alloc(SIGSET_BYTES)), 'prepare signals');
    const pid = [0];
    const environment = Object.entries(launch.env).map(([name, value]) => `${name}=${value}`);
    const argv = [launch.path, ...launch.args];
    const error = await onThread([
      pid,
      launch.path,
      actions,
      attributes,
      [...argv, null],
      [...environment, null],
    ]);
    if (error !== 0) {
      throw new PodwrightError('ProgramFailed', `start ${launch.path}: ${errnoName(error)}`);
    }
    return pid[0] as number;
  } finally {
    actionsDestroy(actions);
    attributesDestroy(attributes);
  }
}

type Ends = {
  readonly child: number;
  readonly own?: number;
  /** Ours to close once the child has its copy. */
  readonly lent: boolean;
};

function endsOf(stdio: Stdio): Ends {
  if (typeof stdio === 'number') return { child: stdio, lent: false };
  if (stdio === 'null') return { child: openSync('/dev/null', 'r+'), lent: true };
  const { read, write } = pipe();
  return stdio === 'input'
    ? { child: read, own: write, lent: true }
    : { child: write, own: read, lent: true };
}

function socketOf(stdio: Stdio, fd: number | undefined): Socket | undefined {
  if (fd === undefined) return undefined;
  return new Socket({ fd, readable: stdio === 'output', writable: stdio === 'input' });
}

/** Throws ProgramFailed where the program cannot be executed. */
export async function launchByPosixSpawn(launch: Launch): Promise<Launched> {
  if (!listening) process.on('SIGCHLD', reap);
  listening = true;
  const ends = launch.stdio.map(endsOf);
  try {
    const pid = await spawnWith(
      launch,
      ends.map((one) => one.child),
    );
    const keepAlive = launch.lifetime === 'call' ? setInterval(() => {}, NEVER_MS) : undefined;
    const exited = new Promise<number>((resolve) => {
      const tell = (exitCode: number): void => {
        clearInterval(keepAlive);
        resolve(exitCode);
      };
      children.set(pid, tell);
      // It may have ended, and been told of, before its pid was known here.
      reapOne(pid, tell);
    });
    return { pid, exited, pipes: launch.stdio.map((stdio, index) => socketOf(stdio, ends[index]?.own)) };
  } catch (error) {
    for (const { own } of ends) if (own !== undefined) closeSync(own);
    throw error;
  } finally {
    for (const { child, lent } of ends) if (lent) closeSync(child);
  }
}
