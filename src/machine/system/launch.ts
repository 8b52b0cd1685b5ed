// What starting a program takes and gives, and the plain way to do it, over Node's child_process: where koffi does not
// load, and in tests that hold both ways to the same behaviour. The way the engine uses is posix-spawn.ts.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { Duplex, type Readable, type Writable } from 'node:stream';
import { PodwrightError } from '../../base/errors.ts';

/** Of one descriptor of the child: a pipe it reads or writes, nothing, or an open descriptor of ours. */
export type Stdio = 'input' | 'output' | 'null' | number;

export type Launch = {
  /** Absolute. */
  readonly path: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string | undefined;
  /** Descriptors 0, 1, 2, ... of the child; it gets no others. */
  readonly stdio: readonly Stdio[];
  /** A daemon may outlive this process; anything else keeps it alive until its end is told. */
  readonly lifetime: 'call' | 'daemon';
};

export type Launched = {
  readonly pid: number;
  /** 128 + n where signal n ended it. Never rejects. */
  readonly exited: Promise<number>;
  /** Our ends of the pipes, by the child's descriptor. */
  readonly pipes: readonly ((Readable & Writable) | undefined)[];
};

const NODE_STDIO = { input: 'pipe', output: 'pipe', null: 'ignore' } as const;

/** Throws ProgramFailed where the program cannot be executed. */
export async function launchByChildProcess(launch: Launch): Promise<Launched> {
  const child = spawn(launch.path, launch.args, {
    cwd: launch.cwd,
    env: launch.env,
    detached: true,
    stdio: launch.stdio.map((one) => (typeof one === 'number' ? one : NODE_STDIO[one])),
  });
  const { pid } = child;
  if (pid === undefined) {
    child.on('error', () => {});
    throw new PodwrightError('ProgramFailed', `start ${launch.path}: it cannot be executed`);
  }
  if (launch.lifetime === 'daemon') child.unref();
  const exited = new Promise<number>((resolve) => {
    child.on('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? 'SIGKILL']));
  });
  const pipes = child.stdio.map((stream) => (stream instanceof Duplex ? stream : undefined));
  return { pid, exited, pipes };
}
