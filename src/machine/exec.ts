// A further process in a running container: `<runtime> exec`, with pipes or a terminal of the engine's.
//
// Invariant: the process inside ends with the request: an abort kills it and not only the runtime that stands before it.
import { existsSync, mkdtempSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf } from '../base/files.ts';
import { readBundle } from './container-bundle.ts';
import { startOnConsoleSocket, startOnPipes, startOnTerminal } from './exec-stdio.ts';
import type { ExecOptions, ExecProcess } from './machine.ts';
import { type Runtime, runtimeArgs } from './runtime/runtime.ts';
import { resizeTerminalOf, type TerminalSize } from './system/pty.ts';

export type ExecTarget = { readonly runtime: Runtime; readonly id: string; readonly bundle: string };

/** Shells' codes for a command that is not there, or cannot be executed. */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error;
  }
}

function readPid(pidFile: string): number | undefined {
  try {
    return Number(readFileSync(pidFile, 'utf8')) || undefined;
  } catch {
    return undefined;
  }
}

/** The pid of the process inside, once the runtime has written it down; undefined when it ended without. */
function insidePid(pidFile: string, exited: Promise<number>): Promise<number | undefined> {
  const known = readPid(pidFile);
  if (known !== undefined) return Promise.resolve(known);
  return new Promise((resolve) => {
    const watcher = watch(dirname(pidFile), { persistent: false });
    const settle = (pid: number | undefined): void => {
      watcher.close();
      resolve(pid);
    };
    const look = (): void => {
      const pid = readPid(pidFile);
      if (pid !== undefined) settle(pid);
    };
    watcher.on('change', look);
    watcher.on('error', look);
    void exited.then(() => settle(readPid(pidFile)));
    look();
  });
}

/** The runtime's own failure has no pid file: the command never ran. Its words are on standard error already. */
function exitCodeOf(exitCode: number, pidFile: string, log: string): number {
  if (exitCode === 0 || existsSync(pidFile)) return exitCode;
  const words = existsSync(log) ? readFileSync(log, 'utf8') : '';
  return /not found|no such file/i.test(words) ? NOT_FOUND : NOT_EXECUTABLE;
}

function startOf(runtime: Runtime, tty: boolean): typeof startOnPipes {
  if (!tty) return startOnPipes;
  return runtime.name === 'crun' ? startOnConsoleSocket : startOnTerminal;
}

export async function execInContainer(target: ExecTarget, options: ExecOptions): Promise<ExecProcess> {
  const { runtime, id, bundle } = target;
  options.signal.throwIfAborted();
  // At once: each of these takes a tenth of what a trip to the thread pool does.
  const dir = mkdtempSync(join(bundle, 'exec-'));
  const pidFile = join(dir, 'pid');
  const log = join(dir, 'log');
  const own = readBundle(bundle).process;
  const env =
    options.tty && !own.env.some((one) => one.startsWith('TERM=')) ? [...own.env, 'TERM=xterm'] : own.env;
  const spec = { ...own, args: options.command, env, terminal: options.tty };
  writeFileSync(join(dir, 'process.json'), JSON.stringify(spec), { mode: 0o600 });
  const exec = ['exec', '--process', join(dir, 'process.json'), '--pid-file', pidFile];
  const command = [...runtimeArgs(runtime), `--log=${log}`, ...exec];
  const started = await startOf(runtime, options.tty)({ program: runtime.path, command, id, dir }, options);
  /** Looked for when somebody asks: most commands are neither aborted nor resized. */
  let looked: Promise<number | undefined> | undefined;
  let ended = false;
  const inside = (): Promise<number | undefined> => {
    if (!ended) looked ??= insidePid(pidFile, started.exited);
    return looked ?? Promise.resolve(undefined);
  };

  /** Not the runtime: it collects the process inside, and then ends by itself. */
  const onAbort = (): void => {
    void inside().then((pid) => (pid === undefined ? undefined : kill(pid)));
  };
  options.signal.addEventListener('abort', onAbort, { once: true });
  if (options.signal.aborted) onAbort();

  const finish = async (): Promise<number> => {
    try {
      const exitCode = await started.exited;
      await started.drained;
      options.signal.throwIfAborted();
      return exitCodeOf(exitCode, pidFile, log);
    } finally {
      options.signal.removeEventListener('abort', onAbort);
      ended = true;
      // Nobody need wait for it; where it fails it goes with the container.
      void rm(dir, { recursive: true, force: true }).catch(() => {});
    }
  };
  /** The engine's terminal gives a runtime that starts the size; later the one inside is set, past the runtime. */
  const resize = (size: TerminalSize): void => {
    started.resize(size);
    void inside().then((pid) => (options.tty && pid !== undefined ? resizeTerminalOf(pid, size) : undefined));
  };
  return { exitCode: finish(), resize };
}
