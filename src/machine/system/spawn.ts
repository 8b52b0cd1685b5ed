// The only place that starts programs. Everything goes through runProgram: a bounded wait, bounded output, an error that
// names the program and its last words. (Written over child_process for now; see docs/adr for how it is started.)
import { spawn } from 'node:child_process';
import { BOUNDS } from '../../base/bounds.ts';
import { errnoOf } from '../../base/files.ts';
import { PodwrightError } from '../../base/errors.ts';

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

export const PROGRAM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** A non-zero exit is a result (128 + n for a signal). Throws ProgramMissing, ProgramTimeout. */
export function runProgram(program: string, args: readonly string[], options: ProgramOptions = {}): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: options.env ?? { PATH: PROGRAM_PATH },
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new PodwrightError('ProgramTimeout', `${program} ${args.join(' ')}: no end within its bound`));
    }, options.timeoutMs ?? BOUNDS.programTimeoutMs);
    child.stdout.on('data', (chunk: Buffer) => chunks.stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.stderr.push(chunk));
    child.stdin.on('error', () => {});
    child.stdin.end(options.stdin);
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(
        errnoOf(error) === 'ENOENT'
          ? new PodwrightError('ProgramMissing', `${program} is not installed`, { cause: error })
          : error,
      );
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({
        exitCode: code ?? 137,
        stdout: Buffer.concat(chunks.stdout).toString(),
        stderr: Buffer.concat(chunks.stderr).toString(),
      });
    });
  });
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
  throw new PodwrightError('ProgramFailed', `${program} ${args[0] ?? ''}: exit code ${result.exitCode}: ${words}`);
}
