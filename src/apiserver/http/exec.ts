// pods/<name>/exec over WebSocket (KEP-4006): the first byte of a message is its channel. v5 adds a message that closes
// one channel, which is how standard input ends. The command's end is a Status on the error channel.
import { PassThrough, Writable } from 'node:stream';
import type { WebSocket } from 'ws';
import type { ExecSession, NodeApi } from '../../client/node-api.ts';
import { failureStatus, type StatusBody, successStatus } from './status.ts';

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const ERROR = 3;
const RESIZE = 4;
const CLOSE = 255;

export const EXEC_PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];

export type ExecTarget = {
  readonly namespace: string;
  readonly pod: string;
  readonly query: URLSearchParams;
};

function channel(socket: WebSocket, number: number): Writable {
  return new Writable({
    // The callback comes when the message has left: a command that prints faster than the client reads waits.
    write(chunk: Buffer, _encoding, callback) {
      socket.send(Buffer.concat([Buffer.of(number), chunk]), (error) => callback(error ?? undefined));
    },
  });
}

function exitStatus(exitCode: number): StatusBody {
  if (exitCode === 0) return { ...successStatus(200), code: 200 };
  return {
    ...failureStatus(undefined),
    message: `command terminated with non-zero exit code: exit status ${exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
    code: 500,
  };
}

function resize(session: ExecSession | undefined, payload: Buffer): void {
  try {
    const { Width, Height } = JSON.parse(payload.toString()) as { Width?: unknown; Height?: unknown };
    if (typeof Width === 'number' && typeof Height === 'number')
      session?.resize({ columns: Width, rows: Height });
  } catch {
    // A size that does not parse changes nothing.
  }
}

/** Owns the socket: closes it when the command has ended, ends the command when the socket closes. */
export async function serveExec(
  socket: WebSocket,
  node: NodeApi,
  { namespace, pod, query }: ExecTarget,
): Promise<void> {
  const isSet = (name: string): boolean => ['true', '1'].includes(query.get(name) ?? '');
  const gone = new AbortController();
  const tty = isSet('tty');
  const stdin = isSet('stdin') ? new PassThrough() : undefined;
  let session: ExecSession | undefined;
  let size: Buffer | undefined;
  socket.on('close', () => {
    stdin?.end();
    gone.abort();
  });
  socket.on('error', () => gone.abort());
  socket.on('message', (data: Buffer) => {
    const payload = data.subarray(1);
    if (data[0] === STDIN && stdin?.writableEnded === false) {
      // Nobody reads as fast as a network can send.
      if (!stdin.write(payload)) {
        socket.pause();
        stdin.once('drain', () => socket.resume());
      }
    } else if (data[0] === CLOSE && payload[0] === STDIN) stdin?.end();
    else if (data[0] === RESIZE) {
      // The first size may come before the command has started.
      size = payload;
      resize(session, payload);
    }
  });
  let status: StatusBody;
  try {
    session = await node.exec({
      namespace,
      pod,
      container: query.get('container') || undefined,
      command: query.getAll('command'),
      tty,
      stdin,
      stdout: channel(socket, STDOUT),
      stderr: tty ? undefined : channel(socket, STDERR),
      signal: gone.signal,
    });
    if (size !== undefined) resize(session, size);
    status = exitStatus(await session.exitCode);
  } catch (error) {
    status = failureStatus(error);
  }
  if (socket.readyState !== socket.OPEN) return;
  socket.send(Buffer.concat([Buffer.of(ERROR), Buffer.from(JSON.stringify(status))]));
  socket.close(1000);
}
