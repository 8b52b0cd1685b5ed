// The system calls Node lacks, through koffi. Each throws SystemCall with the errno's name and what was being done.
import { constants as osConstants } from 'node:os';
import koffi from 'koffi';
import { PodwrightError } from '../../base/errors.ts';

/** The C library, for the files that declare calls of their own. */
export const libc = koffi.load('libc.so.6');

const errnoNames = new Map(Object.entries(osConstants.errno).map(([name, value]) => [value, name]));

/** "EBUSY" of 16. */
export const errnoName = (errno: number): string => errnoNames.get(errno) ?? String(errno);

/** The current errno's name, right after a failed call. */
const lastErrno = (): string => errnoName(koffi.errno());

export function systemCallError(doing: string): PodwrightError {
  const errno = lastErrno();
  return Object.assign(new PodwrightError('SystemCall', `${doing}: ${errno}`), { errno });
}

const rawMount = libc.func(
  'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
);
const rawUmount2 = libc.func('int umount2(const char *target, int flags)');

export const MS = {
  RDONLY: 1,
  NOSUID: 2,
  NODEV: 4,
  NOEXEC: 8,
  REMOUNT: 32,
  BIND: 4096,
  REC: 16384,
  PRIVATE: 1 << 18,
  SLAVE: 1 << 19,
  SHARED: 1 << 20,
} as const;
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;

/** Flags is an OR of MS. */
export function mount(source: string, target: string, type: string, flags: number, data: string): void {
  if (rawMount(source, target, type, flags, data) !== 0) {
    throw systemCallError(`mount ${type} ${source} on ${target}`);
  }
}

/** Lazy (MNT_DETACH) and without following a symlink at the target; false when nothing was mounted there. */
export function unmount(target: string): boolean {
  if (rawUmount2(target, MNT_DETACH | UMOUNT_NOFOLLOW) === 0) return true;
  const errno = lastErrno();
  if (errno === 'EINVAL' || errno === 'ENOENT') return false;
  throw systemCallError(`unmount ${target}`);
}

/** On a thread of koffi's, and once more here where it failed: errno is a thread's own. */
const onThread = (call: typeof rawMount, ...args: readonly unknown[]): Promise<boolean> =>
  new Promise((resolve, reject) => {
    call.async(...args, (error: unknown, result: number) => {
      if (error) reject(error);
      else resolve(result === 0);
    });
  });

/** As mount, while the event loop goes on: the kernel may keep the caller waiting for other mounts. */
export async function mountAside(...args: Parameters<typeof mount>): Promise<void> {
  if (!(await onThread(rawMount, ...args))) mount(...args);
}

/** As unmount; the kernel waits until every processor has passed by: 5 ms, and 20 where it has namespaces to end. */
export async function unmountAside(target: string): Promise<boolean> {
  return (await onThread(rawUmount2, target, MNT_DETACH | UMOUNT_NOFOLLOW)) || unmount(target);
}

const rawFlock = libc.func('int flock(int fd, int operation)');
const LOCK_EX_NB = 2 | 4;

/** An advisory lock on an open file, given back when its last descriptor closes; false when another holds it. */
export function tryLock(fd: number): boolean {
  if (rawFlock(fd, LOCK_EX_NB) === 0) return true;
  // One number, two names.
  if (['EAGAIN', 'EWOULDBLOCK'].includes(lastErrno())) return false;
  throw systemCallError('flock');
}
