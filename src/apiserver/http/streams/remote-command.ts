// What exec and attach are, whatever protocol carries their streams: something that starts with streams and ends with a
// Status.
import type { Readable, Writable } from 'node:stream';
import type { ContainerTarget, ExecSession, NodeApi } from '../../../client/node-api.ts';
import { badRequest } from '../../api-error.ts';
import { isTrue } from '../parameters.ts';
import { failureStatus, type StatusBody, successStatus } from '../status.ts';

export type CommandStreams = {
  readonly stdin?: Readable | undefined;
  readonly stdout: Writable;
  /** Absent with a tty. */
  readonly stderr?: Writable | undefined;
  readonly signal: AbortSignal;
};

export type RemoteCommand = {
  readonly tty: boolean;
  /** Which streams the client asked for. */
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  start(streams: CommandStreams): Promise<ExecSession>;
};

/** PodExecOptions or PodAttachOptions of the URL. @throws BadRequest */
export function remoteCommand(
  subresource: 'exec' | 'attach',
  node: NodeApi,
  { target, query }: { readonly target: ContainerTarget; readonly query: URLSearchParams },
): RemoteCommand {
  const isSet = (name: string): boolean => isTrue(query, name);
  const tty = isSet('tty');
  const wanted = { tty, stdin: isSet('stdin'), stdout: isSet('stdout'), stderr: isSet('stderr') };
  if (!wanted.stdin && !wanted.stdout && !wanted.stderr)
    throw badRequest('you must specify at least 1 of stdin, stdout, stderr');
  const command = query.getAll('command');
  if (subresource === 'attach') {
    return { ...wanted, start: (streams) => node.attach({ ...target, ...streams, tty }) };
  }
  if (command.length === 0) throw badRequest('you must specify at least one command for the container');
  return { ...wanted, start: (streams) => node.exec({ ...target, ...streams, tty, command }) };
}

export function exitStatus(exitCode: number): StatusBody {
  if (exitCode === 0) return { ...successStatus(200), code: 200 };
  return {
    ...failureStatus(undefined),
    message: `command terminated with non-zero exit code: exit status ${exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
    code: 500,
  };
}
