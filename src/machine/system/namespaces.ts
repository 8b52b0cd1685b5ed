// Work of this thread inside another process' namespace: in, one synchronous piece of work, and out again. No other code of
// this process ever sees the foreign namespace. Also the one thing that is done in a UTS namespace: its hostname.
import { closeSync, openSync } from 'node:fs';
import { libc, systemCallError } from './libc.ts';

const setns = libc.func('int setns(int fd, int type)');
const sethostname = libc.func('int sethostname(const char *name, size_t length)');

/** CLONE_NEWNET and CLONE_NEWUTS of linux/sched.h. */
const TYPES = { net: 0x40000000, uts: 0x04000000 } as const;

/** `namespace` is an open descriptor of it. Throws SystemCall where it cannot be entered. */
export function inNamespace<T>(kind: keyof typeof TYPES, namespace: number, work: () => T): T {
  const own = openSync(`/proc/thread-self/ns/${kind}`, 'r');
  try {
    if (setns(namespace, TYPES[kind]) !== 0) throw systemCallError(`enter a ${kind} namespace`);
    try {
      return work();
    } finally {
      // An engine that stayed in a pod's namespace could do nothing right any more: this is not to be caught.
      if (setns(own, TYPES[kind]) !== 0) process.abort();
    }
  } finally {
    closeSync(own);
  }
}

/** Of the UTS namespace "/proc/<pid>/ns/uts". Throws SystemCall. */
export function setHostname(utsPath: string, hostname: string): void {
  const namespace = openSync(utsPath, 'r');
  try {
    inNamespace('uts', namespace, () => {
      if (sethostname(hostname, Buffer.byteLength(hostname)) !== 0) throw systemCallError('set a hostname');
    });
  } finally {
    closeSync(namespace);
  }
}
