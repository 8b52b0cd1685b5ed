// pods/<name>/exec and attach over WebSocket (KEP-4006): the first byte of a message is its channel. v5 adds a message that closes
// one channel, which is how standard input ends. The command's end is a Status on the error channel.
import { PassThrough, Writable } from 'node:stream';
import type { WebSocket } from 'ws';
import { BOUNDS } from '../../../base/bounds.ts';
import type { ExecSession } from '../../../client/node-api.ts';
import { failureStatus, type StatusBody } from '../status.ts';
import { exitStatus, type RemoteCommand } from './remote-command.ts';

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const ERROR = 3;
const RESIZE = 4;
const CLOSE = 255;

export const WEB_SOCKET_PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];

function channel(socket: WebSocket, number: number): Writable {
  const stream = new Writable({
    // The callback comes when the message has left: a command that prints faster than the client reads waits.
    write(chunk: Buffer, _encoding, callback) {
      socket.send(Buffer.concat([Buffer.of(number), chunk]), (error) => callback(error ?? undefined));
    },
  });
  // The client has gone; the socket's end tells so.
  stream.on('error', () => {});
  return stream;
}

/** For what the client did not ask for: the command may print it all the same. */
const nowhere = (): Writable => new PassThrough().resume();

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
export async function serveWebSocketCommand(socket: WebSocket, command: RemoteCommand): Promise<void> {
  const gone = new AbortController();
  const stdin = command.stdin ? new PassThrough() : undefined;
  let session: ExecSession | undefined;
  let size: Buffer | undefined;
  const heartbeat = setInterval(() => socket.ping(), BOUNDS.streamHeartbeatMs);
  socket.on('close', () => {
    clearInterval(heartbeat);
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
    session = await command.start({
      stdin,
      stdout: command.stdout ? channel(socket, STDOUT) : nowhere(),
      stderr: command.tty ? undefined : command.stderr ? channel(socket, STDERR) : nowhere(),
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
