// The three ways in which a process inside a container gets its input and output: pipes, a terminal that the runtime hands
// over, a terminal between which and the one inside the runtime copies.
import { closeSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { errnoOf } from '../base/files.ts';
import type { ExecOptions } from './machine.ts';
import { openConsoleSocket } from './system/console-socket.ts';
import { openTerminal, type Terminal, type TerminalSize, terminalOf } from './system/pty.ts';
import { startProgram } from './system/spawn.ts';

export type ExecCommand = {
  /** The runtime's path. */
  readonly program: string;
  /** Its arguments up to the container's id. */
  readonly command: readonly string[];
  readonly id: string;
  /** This one exec's own directory. */
  readonly dir: string;
};

export type Started = {
  /** The command's exit code, or the runtime's own. */
  readonly exited: Promise<number>;
  /** Resolves when all output has been handed on. */
  readonly drained: Promise<unknown>;
  resize(size: TerminalSize): void;
};

/** Hands everything on without ending the target: the caller owns it. */
function handOn(source: Readable, target: Writable): Promise<void> {
  source.pipe(target, { end: false });
  return finished(source, { writable: false }).catch((error: unknown) => {
    // A terminal's end of file: the other end was closed.
    if (errnoOf(error) !== 'EIO' && errnoOf(error) !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  });
}

export async function startOnPipes(
  { program, command, id }: ExecCommand,
  options: ExecOptions,
): Promise<Started> {
  const stdio = [options.stdin === undefined ? 'null' : 'input', 'output', 'output'] as const;
  const { exited, pipes } = await startProgram(program, [...command, id], { stdio });
  const [input, output, error] = pipes;
  input?.on('error', () => {});
  if (input !== undefined) options.stdin?.pipe(input);
  const drained = Promise.all([
    output === undefined ? undefined : handOn(output, options.stdout),
    error === undefined ? undefined : handOn(error, options.stderr ?? options.stdout),
  ]);
  return { exited, drained, resize: () => {} };
}

/** For runc, which hands its terminal only to those that let it go (`--detach`), and then nobody tells the exit code. */
export async function startOnTerminal(
  { program, command, id }: ExecCommand,
  options: ExecOptions,
): Promise<Started> {
  const { stream, peerFd, resize } = openTerminal();
  try {
    const args = [...command, '--tty', id];
    const { exited } = await startProgram(program, args, { stdio: [peerFd, peerFd, peerFd] });
    const drained = handOn(stream, options.stdout);
    options.stdin?.pipe(stream);
    return { exited, drained, resize };
  } catch (error) {
    stream.destroy();
    throw error;
  } finally {
    closeSync(peerFd);
  }
}

/** For crun, which while it copies forgets what a command wrote right before its end (1.8.1). */
export async function startOnConsoleSocket(exec: ExecCommand, options: ExecOptions): Promise<Started> {
  const ended = Promise.withResolvers<void>();
  let terminal: Terminal | undefined;
  let size: TerminalSize | undefined;
  const console = openConsoleSocket(exec.dir, (fd) => {
    terminal = terminalOf(fd);
    if (size !== undefined) terminal.resize(size);
    handOn(terminal.stream, options.stdout).then(ended.resolve, ended.reject);
    options.stdin?.pipe(terminal.stream);
  });
  try {
    const args = [...exec.command, '--tty', '--console-socket', console.path, exec.id];
    const { exited, pipes } = await startProgram(exec.program, args, { stdio: ['null', 'null', 'output'] });
    const [, , words] = pipes;
    const settled = exited.then(() => {
      console.close();
      if (terminal === undefined) ended.resolve();
    });
    const told = words === undefined ? undefined : handOn(words, options.stdout);
    const resize = (wanted: TerminalSize): void => {
      size = wanted;
      terminal?.resize(wanted);
    };
    return { exited, drained: Promise.all([settled, told, ended.promise]), resize };
  } catch (error) {
    console.close();
    throw error;
  }
}
