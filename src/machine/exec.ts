// A further process in a running container: `<runtime> exec`, with pipes or a terminal of the engine's.
//
// Invariant: the process inside ends with the request: an abort kills it and not only the runtime that stands before it.
import { readFileSync, watch } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errnoOf, readIfExists } from '../base/files.ts';
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

/** The pid of the process inside, once the runtime has written it down; undefined when it ended without. */
function insidePid(pidFile: string, exited: Promise<number>): Promise<number | undefined> {
  const read = (): number | undefined => {
    try {
      return Number(readFileSync(pidFile, 'utf8')) || undefined;
    } catch {
      return undefined;
    }
  };
  return new Promise((resolve) => {
    const watcher = watch(dirname(pidFile), { persistent: false });
    const settle = (pid: number | undefined): void => {
      watcher.close();
      resolve(pid);
    };
    const look = (): void => {
      const pid = read();
      if (pid !== undefined) settle(pid);
    };
    watcher.on('change', look);
    watcher.on('error', look);
    void exited.then(() => settle(read()));
    look();
  });
}

/** The runtime's own failure has no pid file: the command never ran. Its words are on standard error already. */
async function exitCodeOf(exitCode: number, pidFile: string, words: string): Promise<number> {
  if (exitCode === 0 || (await readIfExists(pidFile)) !== undefined) return exitCode;
  return /not found|no such file/i.test(words) ? NOT_FOUND : NOT_EXECUTABLE;
}

function startOf(runtime: Runtime, tty: boolean): typeof startOnPipes {
  if (!tty) return startOnPipes;
  return runtime.name === 'crun' ? startOnConsoleSocket : startOnTerminal;
}

export async function execInContainer(target: ExecTarget, options: ExecOptions): Promise<ExecProcess> {
  const { runtime, id, bundle } = target;
  options.signal.throwIfAborted();
  const dir = await mkdtemp(join(bundle, 'exec-'));
  const pidFile = join(dir, 'pid');
  const log = join(dir, 'log');
  const own = readBundle(bundle).process;
  const env =
    options.tty && !own.env.some((one) => one.startsWith('TERM=')) ? [...own.env, 'TERM=xterm'] : own.env;
  const spec = { ...own, args: options.command, env, terminal: options.tty };
  await writeFile(join(dir, 'process.json'), JSON.stringify(spec), { mode: 0o600 });
  const exec = ['exec', '--process', join(dir, 'process.json'), '--pid-file', pidFile];
  const command = [...runtimeArgs(runtime), `--log=${log}`, ...exec];
  const started = await startOf(runtime, options.tty)({ program: runtime.path, command, id, dir }, options);
  const inside = insidePid(pidFile, started.exited);

  /** Not the runtime: it collects the process inside, and then ends by itself. */
  const onAbort = (): void => {
    void inside.then((pid) => (pid === undefined ? undefined : kill(pid)));
  };
  options.signal.addEventListener('abort', onAbort, { once: true });
  if (options.signal.aborted) onAbort();

  const finish = async (): Promise<number> => {
    try {
      const exitCode = await started.exited;
      await started.drained;
      options.signal.throwIfAborted();
      const words = (await readIfExists(log)) ?? '';
      return await exitCodeOf(exitCode, pidFile, words);
    } finally {
      options.signal.removeEventListener('abort', onAbort);
      await rm(dir, { recursive: true, force: true });
    }
  };
  /** The engine's terminal gives a runtime that starts the size; later the one inside is set, past the runtime. */
  const resize = (size: TerminalSize): void => {
    started.resize(size);
    void inside.then((pid) => (options.tty && pid !== undefined ? resizeTerminalOf(pid, size) : undefined));
  };
  return { exitCode: finish(), resize };
}
