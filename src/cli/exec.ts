// podwright exec: a command in a container, with the terminal handed over when asked. Its exit code becomes ours.
import { ReadStream, WriteStream } from 'node:tty';
import { PodwrightError } from '../base/errors.ts';
import type { ExecSession } from '../client/node-api.ts';
import { type Cli, type ExitCode, interruptSignal } from './cli.ts';
import { containerOf } from './default-container.ts';
import { podName } from './logs.ts';

export type ExecOptions = {
  readonly container?: string | undefined;
  readonly stdin: boolean;
  readonly tty: boolean;
  readonly command: readonly string[];
};

/** Every key goes to the container, Ctrl-C too; undone however the command ends. */
function rawTerminal(input: ReadStream): Disposable {
  input.setRawMode(true);
  return { [Symbol.dispose]: () => void input.setRawMode(false) };
}

/** Tells the session the terminal's size now and whenever it changes. */
function followSize(output: WriteStream, session: ExecSession): Disposable {
  const resize = (): void => session.resize({ columns: output.columns, rows: output.rows });
  resize();
  output.on('resize', resize);
  return { [Symbol.dispose]: () => void output.off('resize', resize) };
}

export async function exec(cli: Cli, pod: string, options: ExecOptions): Promise<ExitCode> {
  const { command, tty, stdin } = options;
  const terminal =
    cli.stdin instanceof ReadStream && cli.stdout instanceof WriteStream
      ? { input: cli.stdin, output: cli.stdout }
      : undefined;
  if (tty && terminal === undefined) {
    throw new PodwrightError(
      'InvalidInput',
      'exec -t: standard input or output is no terminal; leave -t out',
    );
  }
  const connection = await cli.connect();
  const container = await containerOf(cli, connection, { pod: podName(pod), container: options.container });
  using interrupt = interruptSignal(cli);
  const session = await connection.node.exec({
    namespace: cli.namespace,
    pod: podName(pod),
    container,
    command,
    tty,
    stdin: stdin ? cli.stdin : undefined,
    stdout: cli.stdout,
    stderr: tty ? undefined : cli.stderr,
    signal: interrupt.signal,
  });
  using cleanUp = new DisposableStack();
  if (tty && terminal !== undefined) {
    if (stdin) cleanUp.use(rawTerminal(terminal.input));
    cleanUp.use(followSize(terminal.output, session));
  }
  try {
    return await session.exitCode;
  } catch (error) {
    // 128 + SIGINT, as a shell has it.
    if (interrupt.signal.aborted) return 130;
    throw error;
  } finally {
    if (stdin) cli.stdin.destroy();
  }
}
