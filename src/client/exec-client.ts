// The client's end of exec and attach over WebSocket: `v5.channel.k8s.io`, one byte of channel before each message.
// https://kubernetes.io/docs/reference/using-api/api-concepts/ and KEP-4006.

import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import WebSocket from 'ws';
import { errorOfStatus, PodwrightError } from '../base/errors.ts';
import type { Status } from '../kube/api-types.ts';
import type { AttachRequest, ExecSession } from './node-api.ts';

const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;
const PROTOCOL = 'v5.channel.k8s.io';

type Target = { readonly url: string; readonly options: object };

/** Rejects with the API's reason when the session is refused. */
export async function execOverWebSocket(target: Target, request: AttachRequest): Promise<ExecSession> {
  const socket = new WebSocket(target.url, [PROTOCOL], target.options);
  const exitCode = receive(socket, request).then(exitCodeOf);
  // Whoever awaits exitCode gets its rejection; before that the session itself may be refused.
  exitCode.catch(() => {});
  await opened(socket);
  const send = (channel: number, payload: Uint8Array | string): void =>
    socket.send(Buffer.concat([Buffer.of(channel), Buffer.from(payload)]));
  const abort = (): void => socket.terminate();
  request.signal.addEventListener('abort', abort, { once: true });
  if (request.stdin !== undefined) {
    request.stdin.on('data', (chunk: Buffer) => send(CHANNEL.stdin, chunk));
    request.stdin.once('end', () => {
      if (socket.readyState === WebSocket.OPEN) send(CHANNEL.close, Buffer.of(CHANNEL.stdin));
    });
  }
  return {
    exitCode: exitCode.finally(() => request.signal.removeEventListener('abort', abort)),
    resize: ({ columns, rows }) => send(CHANNEL.resize, JSON.stringify({ Width: columns, Height: rows })),
  };
}

function opened(socket: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
    socket.once('unexpected-response', (_request: unknown, response: IncomingMessage) => {
      const refuse = (body: string): void => {
        reject(statusError(body) ?? new PodwrightError('InternalError', `exec: HTTP ${response.statusCode}`));
        socket.terminate();
      };
      text(response).then(refuse, reject);
    });
  });
}

function statusError(body: string): PodwrightError | undefined {
  try {
    return errorOfStatus(JSON.parse(body) as Status);
  } catch {
    return undefined;
  }
}

/** Writes what comes to the request's streams; resolves with what the error channel tells at the end. */
function receive(socket: WebSocket, { stdout, stderr, signal }: AttachRequest): Promise<Status> {
  return new Promise((resolve, reject) => {
    socket.on('message', (data: Buffer) => {
      const [channel, payload] = [data[0], data.subarray(1)];
      if (channel === CHANNEL.stdout) stdout.write(payload);
      else if (channel === CHANNEL.stderr) (stderr ?? stdout).write(payload);
      else if (channel === CHANNEL.error) {
        // The last word: all output came before it, and the good-byes need nobody's waiting.
        resolve(JSON.parse(payload.toString()) as Status);
        socket.close(1000);
      }
    });
    socket.on('error', reject);
    socket.on('close', () => {
      if (signal.aborted) reject(signal.reason);
      else reject(new PodwrightError('EngineUnreachable', 'exec: the connection was lost'));
    });
  });
}

/** Throws when the command could not be run at all. */
function exitCodeOf(outcome: Status): number {
  if (outcome.status === 'Success') return 0;
  const exit = outcome.details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message;
  if (exit === undefined) throw errorOfStatus(outcome);
  return Number(exit);
}
