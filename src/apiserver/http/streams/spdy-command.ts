// exec and attach over SPDY/3.1, for clients older than WebSockets: the client opens one stream each for error, stdin,
// stdout, stderr and resize, named by the header streamType. The command starts once those it asked for are there.
import { type Duplex, PassThrough } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { ExecSession } from '../../../client/node-api.ts';
import { failureStatus } from '../status.ts';
import { exitStatus, type RemoteCommand } from './remote-command.ts';
import { serveSpdy } from './spdy.ts';

/** v4 ends with a Status on the error stream; v3 and older have other ways to end and are refused. */
export const SPDY_COMMAND_PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];

type Streams = { readonly [type: string]: Duplex };

/** Sizes come as one JSON object after another. */
function followSizes(stream: Duplex, session: ExecSession): void {
  let text = '';
  stream.on('data', (chunk: Buffer) => {
    text = (text + chunk.toString()).slice(-256);
    const last = [...text.matchAll(/\{[^{}]*\}/g)].at(-1)?.[0];
    if (last === undefined) return;
    const columns = Number(/"Width":(\d{1,5})/.exec(last)?.[1]);
    const rows = Number(/"Height":(\d{1,5})/.exec(last)?.[1]);
    if (columns > 0 && rows > 0) session.resize({ columns, rows });
  });
}

async function run(streams: Streams, command: RemoteCommand, signal: AbortSignal): Promise<unknown> {
  try {
    const session = await command.start({
      stdin: streams.stdin,
      stdout: streams.stdout ?? new PassThrough().resume(),
      stderr: streams.stderr,
      signal,
    });
    if (streams.resize !== undefined) followSizes(streams.resize, session);
    return exitStatus(await session.exitCode);
  } catch (error) {
    return failureStatus(error);
  }
}

/** Owns the transport; resolves when it has ended. */
export async function serveSpdyCommand(transport: Duplex, command: RemoteCommand): Promise<void> {
  const wanted = [
    'error',
    ...(['stdin', 'stdout', 'stderr'] as const).filter(
      (name) => command[name] && !(name === 'stderr' && command.tty),
    ),
    ...(command.tty ? ['resize'] : []),
  ];
  const gone = new AbortController();
  let streams: Streams = {};
  const finish = async (): Promise<void> => {
    const status = await run(streams, command, gone.signal);
    const outputs = Object.entries(streams).filter(([name]) => ['stdout', 'stderr', 'error'].includes(name));
    streams.error?.write(JSON.stringify(status));
    for (const [, stream] of outputs) stream.end();
    // What was written has left before the connection ends.
    await Promise.allSettled(outputs.map(([, stream]) => finished(stream, { readable: false })));
    transport.end();
  };
  await serveSpdy(transport, ({ headers, duplex }) => {
    const type = headers.get('streamtype') ?? '';
    if (!wanted.includes(type) || streams[type] !== undefined) {
      duplex.destroy();
      return;
    }
    streams = { ...streams, [type]: duplex };
    if (wanted.every((name) => streams[name] !== undefined)) void finish();
  });
  gone.abort();
}
