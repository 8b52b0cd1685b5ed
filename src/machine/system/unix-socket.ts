// Unix sockets of the kinds and with the messages that Node lacks: their making and their addresses.

import { libc, systemCallError } from './libc.ts';
import { descriptorPath } from './open-beneath.ts';

const socket = libc.func('int socket(int domain, int type, int protocol)');

const AF_UNIX = 1;
/** SOCK_NONBLOCK | SOCK_CLOEXEC */
export const NONBLOCK_CLOEXEC = 0o4000 | 0o2000000;
export const SOCK = { STREAM: 1, SEQPACKET: 5 } as const;

/** Non-blocking and closed on exec. Throws SystemCall. */
export function openUnixSocket(type: (typeof SOCK)[keyof typeof SOCK]): number {
  const fd: number = socket(AF_UNIX, type | NONBLOCK_CLOEXEC, 0);
  if (fd < 0) throw systemCallError('make a Unix socket');
  return fd;
}

/**
 * A struct sockaddr_un. A path may have 107 bytes and those below a run directory have more: the socket is named through
 * its directory's open descriptor.
 */
export function addressIn(directoryFd: number, name: string): Buffer {
  const path = Buffer.from(`${descriptorPath(directoryFd)}/${name}\0`);
  const family = Buffer.alloc(2);
  family.writeUInt16LE(AF_UNIX, 0);
  return Buffer.concat([family, path]);
}
