// A pseudo terminal: the engine's end as a stream, the other end as a descriptor for a program.
import { closeSync, constants, openSync } from 'node:fs';
import { isatty, ReadStream } from 'node:tty';
import { libc, systemCallError } from './libc.ts';

const ioctl = libc.func('int ioctl(int fd, unsigned long request, ...)');
/** asm-generic/ioctls.h: the same on x86-64 and arm64. */
const TIOCSPTLCK = 0x40045431;
const TIOCGPTPEER = 0x5441;
const TIOCSWINSZ = 0x5414;
const O_CLOEXEC = 0o2000000;

export type TerminalSize = { readonly columns: number; readonly rows: number };

export type Terminal = {
  /** Both ways; ends when the last holder of the other end is gone. */
  readonly stream: ReadStream;
  resize(size: TerminalSize): void;
};

function setSize(fd: number, { columns, rows }: TerminalSize): void {
  const size = Buffer.alloc(8);
  size.writeUInt16LE(rows, 0);
  size.writeUInt16LE(columns, 2);
  if (ioctl(fd, TIOCSWINSZ, 'void *', size) !== 0) throw systemCallError('resize a terminal');
}

/** The terminal that is a process' standard input; the kernel tells those who run on it. Harmless when it is gone. */
export function resizeTerminalOf(pid: number, size: TerminalSize): void {
  let fd: number;
  try {
    fd = openSync(`/proc/${pid}/fd/0`, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
  } catch {
    return;
  }
  try {
    if (isatty(fd)) setSize(fd, size);
  } finally {
    closeSync(fd);
  }
}

/** Takes the engine's end over. */
export function terminalOf(fd: number): Terminal {
  const stream = new ReadStream(fd);
  const resize = (size: TerminalSize): void => {
    if (!stream.destroyed) setSize(fd, size);
  };
  return { stream, resize };
}

/** `peerFd` is for the program; the caller closes it after the start. */
export function openTerminal(): Terminal & { readonly peerFd: number } {
  const fd = openSync('/dev/ptmx', constants.O_RDWR | constants.O_NOCTTY);
  try {
    if (ioctl(fd, TIOCSPTLCK, 'void *', Buffer.alloc(4)) !== 0) throw systemCallError('unlock a terminal');
    const peerFd: number = ioctl(fd, TIOCGPTPEER, 'int', constants.O_RDWR | constants.O_NOCTTY | O_CLOEXEC);
    if (peerFd < 0) throw systemCallError('open the other end of a terminal');
    return { ...terminalOf(fd), peerFd };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
