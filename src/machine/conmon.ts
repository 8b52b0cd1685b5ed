// conmon, the monitor of one container: it outlives the engine, writes the CRI log and keeps the exit code.
// https://github.com/containers/conmon
//
// Its death is told by the kernel: conmon holds both ends of the fifo "winsz" in the bundle for as long as it lives, and
// the engine reads that fifo's end of file. So it is known at once, also when conmon was killed and left no exit code, and
// also by an engine that came later. Nobody writes into it (terminals are resized directly); its other fifo, "ctl", takes
// orders, which a second reader would steal.
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { BOUNDS } from '../base/bounds.ts';
import { PodwrightError } from '../base/errors.ts';
import { errnoOf } from '../base/files.ts';
import { type Runtime, runtimeErrorText } from './runtime/runtime.ts';
import { onWritersGone, openFifoReader } from './system/fifo.ts';
import { killAndWait } from './system/processes.ts';
import { PROGRAM_PATH, startProgram } from './system/spawn.ts';

export type ConmonRequest = {
  readonly runtime: Runtime;
  readonly id: string;
  readonly name: string;
  /** Holds config.json; also conmon's own directory: pid, exit code, oom file, sockets. */
  readonly bundle: string;
  readonly logPath: string;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
};

function conmonArgs(request: ConmonRequest): string[] {
  const { runtime, id, name, bundle, logPath, stdin, stdinOnce, tty } = request;
  return [
    // Not forked away: it is in a session of its own already, and its pid is known from the start.
    '--sync',
    '--api-version=1',
    `--cid=${id}`,
    `--cuuid=${id}`,
    `--name=${name}`,
    `--runtime=${runtime.path}`,
    `--runtime-arg=--root=${runtime.root}`,
    `--bundle=${bundle}`,
    `--persist-dir=${bundle}`,
    `--container-pidfile=${join(bundle, 'pid')}`,
    `--exit-dir=${bundle}`,
    `--log-path=k8s-file:${logPath}`,
    '--log-level=error',
    '--full-attach',
    // The log of a container need not survive a power cut, and the wait for the disk would delay the news of its end.
    '--no-sync-log',
    ...(stdin ? ['--stdin'] : []),
    ...(stdin && !stdinOnce ? ['--leave-stdin-open'] : []),
    ...(tty ? ['--terminal'] : []),
  ];
}

type SyncMessage = { readonly data: number; readonly message?: string };

function syncMessageOf(line: string): SyncMessage {
  try {
    return JSON.parse(line) as SyncMessage;
  } catch (cause) {
    throw new PodwrightError('CreateFailed', `the monitor's word does not parse: ${JSON.stringify(line)}`, {
      cause,
    });
  }
}

/** conmon says one line of JSON on its sync pipe: the container's pid, or -1 and the runtime's error. */
async function readSyncMessage(pipe: Readable, abort: AbortSignal): Promise<SyncMessage | undefined> {
  let text = '';
  const onAbort = (): void => void pipe.destroy();
  abort.addEventListener('abort', onAbort, { once: true });
  try {
    for await (const chunk of pipe) {
      text += String(chunk);
      if (text.includes('\n')) return syncMessageOf(text.slice(0, text.indexOf('\n')));
    }
  } catch (error) {
    if (!abort.aborted) throw error;
  } finally {
    abort.removeEventListener('abort', onAbort);
    pipe.destroy();
  }
  return undefined;
}

/**
 * Creates the container under a new conmon and returns the pid of its PID 1. `beforeFork` gets conmon's pid while it
 * still waits: what is done to it then holds for all that it starts. Throws CreateFailed with the runtime's message.
 */
export async function createUnderConmon(
  request: ConmonRequest,
  beforeFork: (conmonPid: number) => Promise<void>,
  signal: AbortSignal,
): Promise<number> {
  await mkdir(dirname(request.logPath), { recursive: true, mode: 0o700 });
  const SYNC_FD = 3;
  const START_FD = 4;
  const { pid, pipes } = await startProgram('conmon', conmonArgs(request), {
    env: { PATH: PROGRAM_PATH, _OCI_SYNCPIPE: String(SYNC_FD), _OCI_STARTPIPE: String(START_FD) },
    stdio: ['null', 'null', 'null', 'output', 'input'],
    // Where it writes its oom file.
    cwd: request.bundle,
    lifetime: 'daemon',
  });
  const [sync, start] = [pipes[SYNC_FD], pipes[START_FD]];
  if (sync === undefined || start === undefined) throw new Error('conmon was started without its pipes');
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(BOUNDS.programTimeoutMs)]);
  const answer = readSyncMessage(sync, bounded);
  start.on('error', () => {});
  try {
    await beforeFork(pid);
  } catch (error) {
    await killAndWait([pid]);
    throw error;
  } finally {
    start.end('.');
  }
  const message = await answer;
  signal.throwIfAborted();
  if (message === undefined) {
    throw new PodwrightError('CreateFailed', `create container ${request.id}: its monitor ended or hung`);
  }
  if (message.data > 0) return message.data;
  const words = runtimeErrorText(message.message ?? 'the runtime said nothing');
  throw new PodwrightError('CreateFailed', words);
}

/** Calls back once when the monitor is gone. Returns the undo. */
export function onConmonEnd(bundle: string, callback: () => void): () => void {
  return onWritersGone(openFifoReader(join(bundle, 'winsz')), callback);
}

/** conmon's REOPEN_LOGS_EVENT: kind, and two numbers that mean nothing here. */
const REOPEN_LOGS = '2 0 0\n';

/** Asks the monitor to begin a new file under the log's name. It does so by itself soon. False: there is no monitor. */
export function askToReopenLog(bundle: string): boolean {
  let fd: number;
  try {
    fd = openSync(join(bundle, 'ctl'), constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (['ENOENT', 'ENXIO'].includes(errnoOf(error) ?? '')) return false;
    throw error;
  }
  try {
    writeSync(fd, REOPEN_LOGS);
    return true;
  } finally {
    closeSync(fd);
  }
}
