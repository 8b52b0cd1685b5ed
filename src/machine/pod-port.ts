// TCP connections to ports inside a pod's network, also to those that listen on the loopback address only. A socket belongs
// to the network namespace in which it was made, for ever; so the engine's thread makes it inside the pod's.
import { closeSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import koffi from 'koffi';
import { PodwrightError } from '../base/errors.ts';
import { errnoName, libc, systemCallError } from './system/libc.ts';
import { inNamespace } from './system/namespaces.ts';

const socket = libc.func('int socket(int domain, int type, int protocol)');
const connect = libc.func('int connect(int fd, const void *address, unsigned int length)');

const AF_INET = 2;
const AF_INET6 = 10;
/** SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC */
const STREAM = 0o1 | 0o4000 | 0o2000000;

/** sockaddr_in of 127.0.0.1, sockaddr_in6 of ::1. */
function loopback(family: number, port: number): Buffer {
  const address = Buffer.alloc(family === AF_INET ? 16 : 28);
  address.writeUInt16LE(family, 0);
  address.writeUInt16BE(port, 2);
  if (family === AF_INET) address.writeUInt32BE(0x7f000001, 4);
  else address[23] = 1;
  return address;
}

function makeSocketIn(netnsPath: string, family: number): number {
  const namespace = openSync(netnsPath, 'r');
  try {
    return inNamespace('net', namespace, () => {
      const fd: number = socket(family, STREAM, 0);
      if (fd < 0) throw systemCallError('make a socket');
      return fd;
    });
  } finally {
    closeSync(namespace);
  }
}

/** The errno's name when nobody listens there; on loopback the kernel knows at once. */
function connectLoopback(netnsPath: string, family: number, port: number): number | string {
  const fd = makeSocketIn(netnsPath, family);
  const address = loopback(family, port);
  if (connect(fd, address, address.length) === 0 || koffi.errno() === koffi.os.errno.EINPROGRESS) return fd;
  const name = errnoName(koffi.errno());
  closeSync(fd);
  return name;
}

/** 127.0.0.1, then ::1, as the kubelet's runtimes do. Throws NetworkFailed. */
export function connectInNetwork(netnsPath: string, port: number): Socket {
  const first = connectLoopback(netnsPath, AF_INET, port);
  const found = typeof first === 'number' ? first : connectLoopback(netnsPath, AF_INET6, port);
  if (typeof found === 'number') return new Socket({ fd: found, readable: true, writable: true });
  throw new PodwrightError(
    'NetworkFailed',
    `connect to port ${port} of the pod's loopback address: ${first}`,
  );
}
