// The socket on which an OCI runtime hands over the terminal it made inside a container: one connection, one message, one
// descriptor (https://github.com/opencontainers/runc/blob/main/docs/terminals.md). Node receives no descriptors.
//
// Invariant: every descriptor is closed exactly once; a terminal that came is handed on exactly once.
import { closeSync, constants, openSync } from 'node:fs';
import koffi from 'koffi';
import { libc, systemCallError } from './libc.ts';
import { O_PATH } from './open-beneath.ts';
import { addressIn, NONBLOCK_CLOEXEC, openUnixSocket, SOCK } from './unix-socket.ts';

koffi.struct('podwright_iovec', { base: 'void *', length: 'size_t' });
koffi.struct('podwright_msghdr', {
  name: 'void *',
  nameLength: 'uint32',
  vectors: 'podwright_iovec *',
  vectorCount: 'size_t',
  control: 'void *',
  controlLength: 'size_t',
  flags: 'int',
});
const bind = libc.func('int bind(int fd, const void *address, unsigned int length)');
const listen = libc.func('int listen(int fd, int backlog)');
const accept4 = libc.func('int accept4(int fd, void *address, void *length, int flags)');
const recvmsg = libc.func('long recvmsg(int fd, podwright_msghdr *message, int flags)');

const MSG_CMSG_CLOEXEC = 0x40000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
/** struct cmsghdr (length, level, type) and one descriptor after it, padded. */
const CONTROL_BYTES = 24;
const CONTROL_WITH_FD = 20;

const NAME = 'console';

function listenIn(directoryFd: number): number {
  const fd = openUnixSocket(SOCK.STREAM);
  const address = addressIn(directoryFd, NAME);
  if (bind(fd, address, address.length) === 0 && listen(fd, 1) === 0) return fd;
  const error = systemCallError('listen on a console socket');
  closeSync(fd);
  throw error;
}

/** The descriptor in the message that waits; undefined where there is none (yet). */
function receiveDescriptor(fd: number): number | undefined {
  const control = Buffer.alloc(CONTROL_BYTES);
  const message = {
    name: null,
    nameLength: 0,
    // Its text names the terminal, which nobody needs.
    vectors: { base: Buffer.alloc(256), length: 256 },
    vectorCount: 1,
    control,
    controlLength: CONTROL_BYTES,
    flags: 0,
  };
  if (Number(recvmsg(fd, message, MSG_CMSG_CLOEXEC)) <= 0) return undefined;
  const isDescriptor =
    control.readBigUInt64LE(0) === BigInt(CONTROL_WITH_FD) &&
    control.readInt32LE(8) === SOL_SOCKET &&
    control.readInt32LE(12) === SCM_RIGHTS;
  return isDescriptor ? control.readInt32LE(16) : undefined;
}

export type ConsoleSocket = {
  /** For `--console-socket`; good while the socket is open, for every process of root's. */
  readonly path: string;
  /** Looks a last time for a terminal, for the runtime has ended; closes. Harmless afterwards. */
  close(): void;
};

/** `onTerminal` gets the engine's end of the terminal, at most once, and owns it. */
export function openConsoleSocket(directory: string, onTerminal: (fd: number) => void): ConsoleSocket {
  const directoryFd = openSync(directory, O_PATH | constants.O_DIRECTORY);
  let listener: number;
  try {
    listener = listenIn(directoryFd);
  } catch (error) {
    closeSync(directoryFd);
    throw error;
  }
  let connection: number | undefined;
  let isOpen = true;
  const look = (): void => {
    if (!isOpen) return;
    if (connection === undefined) {
      const accepted: number = accept4(listener, null, null, NONBLOCK_CLOEXEC);
      if (accepted < 0) return;
      connection = accepted;
      poll.close();
      poll = koffi.node.poll(connection, { readable: true }, look);
    }
    const terminal = receiveDescriptor(connection);
    if (terminal === undefined) return;
    shut();
    onTerminal(terminal);
  };
  const shut = (): void => {
    isOpen = false;
    poll.close();
    for (const fd of [connection, listener, directoryFd]) if (fd !== undefined) closeSync(fd);
  };
  let poll = koffi.node.poll(listener, { readable: true }, look);
  const close = (): void => {
    look();
    if (isOpen) shut();
  };
  return { path: `/proc/${process.pid}/fd/${directoryFd}/${NAME}`, close };
}
