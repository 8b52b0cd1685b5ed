// How a container ended: conmon's exit file and oom file, the termination message. Reads only.
import { open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BOUNDS } from '../base/bounds.ts';
import { errnoOf, readIfExists } from '../base/files.ts';
import { parseCriLine } from './cri-log.ts';
import { containerDir, containerIdOf, logPath, type MachineDirs } from './layout.ts';
import { type ContainerExit, type ContainerRecord, instanceOf } from './records.ts';

/** The kubelet's limits for a termination message taken from the log. */
const LOG_MESSAGE_BYTES = 2048;
const LOG_MESSAGE_LINES = 80;
/** Read back from the log's end: room for the time stamps of 80 lines. */
const LOG_TAIL_BYTES = 16 * 1024;

export const terminationLog = (bundle: string): string => join(bundle, 'termination-log');

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

async function endOf(path: string, bytes: number): Promise<string> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return '';
  try {
    const { size } = await file.stat();
    const length = Math.min(size, bytes);
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString();
  } finally {
    await file.close();
  }
}

async function messageFromLog(path: string): Promise<string> {
  const lines = (await endOf(path, LOG_TAIL_BYTES)).split('\n').flatMap((line) => parseCriLine(line) ?? []);
  const text = lines
    .slice(-LOG_MESSAGE_LINES)
    .map((line) => (line.partial ? line.text : `${line.text}\n`))
    .join('');
  return Buffer.from(text).subarray(-LOG_MESSAGE_BYTES).toString();
}

/** https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/ */
async function terminationMessage(
  dirs: MachineDirs,
  record: ContainerRecord,
  exitCode: number,
): Promise<string> {
  const { config } = record;
  const path = terminationLog(containerDir(dirs, instanceOf(config)));
  const written = await readFile(path).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return Buffer.alloc(0);
    throw error;
  });
  if (written.length > 0) return written.subarray(0, BOUNDS.terminationMessageBytes).toString();
  if (config.terminationMessagePolicy === 'File' || exitCode === 0) return '';
  return messageFromLog(logPath(dirs, config.pod, config.name, config.attempt));
}

/** The file system's time is the machine's, which somebody may have set since the engine began; a file's age is the same in both. */
export function timeOfFile(mtimeMs: number, nowMs: number): number {
  return Math.floor(nowMs - Math.max(0, Date.now() - mtimeMs));
}

/** What there is to know once the monitor is gone. Without an exit file nobody saw it end: ContainerStatusUnknown. */
export async function readExit(
  dirs: MachineDirs,
  record: ContainerRecord,
  nowMs: number,
): Promise<ContainerExit> {
  const instance = instanceOf(record.config);
  const bundle = containerDir(dirs, instance);
  const exitFile = join(bundle, containerIdOf(instance));
  const started = record.startedAtMs === undefined ? {} : { startedAtMs: record.startedAtMs };
  const text = await readIfExists(exitFile);
  if (text === undefined) {
    const message = 'the monitor of the container ended before it could see how the container ends';
    return {
      kind: 'exited',
      ...started,
      finishedAtMs: nowMs,
      exitCode: 137,
      reason: 'ContainerStatusUnknown',
      message,
    };
  }
  const exitCode = Number(text.trim());
  const finishedAtMs = timeOfFile((await stat(exitFile)).mtimeMs, nowMs);
  const oomKilled = await exists(join(bundle, 'oom'));
  const reason = oomKilled ? 'OOMKilled' : exitCode === 0 ? 'Completed' : 'Error';
  const message = await terminationMessage(dirs, record, exitCode);
  return { kind: 'exited', ...started, finishedAtMs, exitCode, reason, message };
}
