// The only place that starts programs. A bounded wait, bounded output, an error that names the program and its last
// words; every program is in a session of its own, so that a Ctrl-C at the engine's terminal is the engine's alone.
//
// Two ways under one contract: posix_spawn, and child_process where koffi does not load or PODWRIGHT_SPAWN asks for it.
import { accessSync, constants } from 'node:fs';
import type { Readable } from 'node:stream';
import { BOUNDS } from '../../base/bounds.ts';
import { PodwrightError } from '../../base/errors.ts';
import { type Launch, type Launched, launchByChildProcess } from './launch.ts';

export type ProgramOptions = {
  readonly stdin?: string | Uint8Array | undefined;
  /** Replaces the environment; absent: PATH only. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly cwd?: string | undefined;
  readonly timeoutMs?: number | undefined;
  /** Aborting kills the program; the call then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
};

export type ProgramResult = { readonly exitCode: number; readonly stdout: string; readonly stderr: string };

/** Where programs are looked for, whatever the engine's own PATH is. PODWRIGHT_PROGRAM_PATH says another. */
export const PROGRAM_PATH =
  process.env.PODWRIGHT_PROGRAM_PATH ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

type Launcher = (launch: Launch) => Promise<Launched>;

/** Top-level await in place of a static import: the file must load where koffi is missing. */
const launcher: Launcher = await (async (): Promise<Launcher> => {
  if (process.env.PODWRIGHT_SPAWN === 'child_process') return launchByChildProcess;
  try {
    return (await import('./posix-spawn.ts')).launchByPosixSpawn;
  } catch {
    return launchByChildProcess;
  }
})();

const paths = new Map<string, string>();

/** The program's absolute path. Throws ProgramMissing. Only what was found is remembered: setup may install the rest. */
export function findProgram(program: string, path: string = PROGRAM_PATH): string {
  const known = paths.get(program);
  if (known !== undefined) return known;
  const candidates = program.includes('/') ? [program] : path.split(':').map((dir) => `${dir}/${program}`);
  for (const candidate of candidates) {
    try {
      accessSync(candidate, constants.X_OK);
    } catch {
      continue;
    }
    if (path === PROGRAM_PATH) paths.set(program, candidate);
    return candidate;
  }
  throw new PodwrightError('ProgramMissing', `${program} is not installed`);
}

export type StartOptions = Pick<ProgramOptions, 'env' | 'cwd'> & {
  readonly stdio: Launch['stdio'];
  readonly lifetime?: Launch['lifetime'];
};

/** Back when it runs. The caller reads its pipes. Throws ProgramMissing, ProgramFailed. */
export async function startProgram(
  program: string,
  args: readonly string[],
  options: StartOptions,
): Promise<Launched> {
  const { env = { PATH: PROGRAM_PATH }, cwd, stdio, lifetime = 'call' } = options;
  return launcher({ path: findProgram(program, env.PATH), args, env, cwd, stdio, lifetime });
}

/** All of a pipe, kept up to the bound; `ended` also resolves when the stream is destroyed. */
function collect(stream: Readable): { readonly ended: Promise<void>; text(): string } {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    if (bytes < BOUNDS.programOutputBytes) chunks.push(chunk.subarray(0, BOUNDS.programOutputBytes - bytes));
    bytes += chunk.length;
  });
  stream.on('error', () => {});
  const ended = new Promise<void>((resolve) => stream.on('close', resolve));
  return { ended, text: () => Buffer.concat(chunks).toString() };
}

/** A process that the program left behind may hold its pipes open; what is in them by then has been read. */
async function drained(streams: readonly Promise<void>[]): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const bound = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, BOUNDS.programDrainMs);
  });
  await Promise.race([Promise.all(streams), bound]);
  clearTimeout(timer);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself in the same moment.
  }
}

/**
 * The exit code of a program that was started, which is killed when it is aborted or out of time. Throws ProgramTimeout
 * or the signal's reason, when it is gone.
 */
export async function exitWithin(
  { pid, exited }: Pick<Launched, 'pid' | 'exited'>,
  what: string,
  { timeoutMs = BOUNDS.programTimeoutMs, signal }: Pick<ProgramOptions, 'timeoutMs' | 'signal'> = {},
): Promise<number> {
  let ended = 'itself';
  const end = (why: 'aborted' | 'timeout') => (): void => {
    ended = why;
    kill(pid);
  };
  const onAbort = end('aborted');
  const timer = setTimeout(end('timeout'), timeoutMs);
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted === true) onAbort();
  const exitCode = await exited;
  clearTimeout(timer);
  signal?.removeEventListener('abort', onAbort);
  if (ended === 'aborted') throw signal?.reason;
  if (ended === 'timeout') throw new PodwrightError('ProgramTimeout', `${what}: no end within its bound`);
  return exitCode;
}

/** A non-zero exit is a result (128 + n for a signal). Throws ProgramMissing, ProgramTimeout. */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  options.signal?.throwIfAborted();
  const { stdin } = options;
  const stdio = [stdin === undefined ? 'null' : 'input', 'output', 'output'] as const;
  const launched = await startProgram(program, args, { ...options, stdio });
  const { pipes } = launched;
  const [stdout, stderr] = [collect(pipes[1] as Readable), collect(pipes[2] as Readable)];
  pipes[0]?.on('error', () => {});
  pipes[0]?.end(stdin);
  try {
    const exitCode = await exitWithin(launched, `${program} ${args.join(' ')}`, options);
    await drained([stdout.ended, stderr.ended]);
    return { exitCode, stdout: stdout.text(), stderr: stderr.text() };
  } finally {
    for (const pipe of pipes) pipe?.destroy();
  }
}

/** As runProgram, but a non-zero exit throws ProgramFailed with the last lines of standard error. */
export async function runProgramChecked(
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const result = await runProgram(program, args, options);
  if (result.exitCode === 0) return result;
  const words = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(-3).join(' ');
  throw new PodwrightError(
    'ProgramFailed',
    `${program} ${args[0] ?? ''}: exit code ${result.exitCode}: ${words}`,
  );
}
