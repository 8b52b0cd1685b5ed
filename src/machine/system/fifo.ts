// Named pipes as a way to be told of a death: who holds the writing end is alive, and when the last one is gone the
// kernel says so at the reading end, at once, also to a reader that came later (a restarted engine).
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import koffi from 'koffi';
import { errnoOf } from '../../base/files.ts';
import { libc, systemCallError } from './libc.ts';

const mkfifo = libc.func('int mkfifo(const char *path, unsigned int mode)');

/** Harmless where the path is there already. */
export function makeFifo(path: string): void {
  if (mkfifo(path, 0o600) === 0 || koffi.errno() === koffi.os.errno.EEXIST) return;
  throw systemCallError(`make fifo ${path}`);
}

/** The reading end, without waiting for a writer; undefined where the path does not exist. */
export function openFifoReader(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Whether somebody holds the writing end. A byte that is there is eaten: nobody writes data into these pipes. */
export function hasWriter(fd: number): boolean {
  try {
    return readSync(fd, Buffer.alloc(1)) > 0;
  } catch (error) {
    if (errnoOf(error) === 'EAGAIN') return true;
    throw error;
  }
}

/**
 * Calls back once when the last writer is gone; at the next turn if there is none now. Takes the descriptor over. Does
 * not keep the process alive. Returns the undo.
 */
export function onWritersGone(fd: number | undefined, callback: () => void): () => void {
  if (fd === undefined || !hasWriter(fd)) {
    if (fd !== undefined) closeSync(fd);
    const soon = setImmediate(callback);
    return () => clearImmediate(soon);
  }
  const socket = new Socket({ fd, readable: true, writable: false });
  socket.unref();
  socket.resume();
  socket.on('error', () => socket.destroy());
  let open = true;
  socket.on('close', () => {
    if (open) callback();
    open = false;
  });
  return () => {
    open = false;
    socket.destroy();
  };
}
