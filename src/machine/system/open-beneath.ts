// Opens a path that others control without ever leaving a directory: openat2(2) with RESOLVE_BENEATH, one system call, so
// nothing can be swapped between a check and the use. Neither ".." nor a symlink leads out; symlinks that stay inside do
// work, absolute ones never.
import { closeSync, constants, openSync } from 'node:fs';
import koffi from 'koffi';
import { systemCallError } from './libc.ts';

/** The same number on every architecture (Linux >= 5.6). */
const SYS_OPENAT2 = 437;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_BENEATH = 0x08;
/** Opens without reading: any kind of file, also one that would block. Node has no name for it. */
export const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;

koffi.struct('podwright_open_how', { flags: 'uint64', mode: 'uint64', resolve: 'uint64' });
const HOW_BYTES = 24;
const openat2 = koffi
  .load('libc.so.6')
  .func('long syscall(long number, int directory, const char *path, podwright_open_how *how, size_t size)');

/**
 * A descriptor (O_PATH: good for fstat, for /proc/self/fd/N and as a starting point) of what `path` means below the open
 * directory. The caller closes it. Throws SystemCall with errno: ENOENT, ENOTDIR, ELOOP, EXDEV when it would leave.
 */
export function openBeneath(directory: number, path: string): number {
  const how = { flags: O_PATH | O_CLOEXEC, mode: 0, resolve: RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
  const descriptor = Number(openat2(SYS_OPENAT2, directory, path === '' ? '.' : path, how, HOW_BYTES));
  if (descriptor < 0) throw systemCallError(`open ${path}`);
  return descriptor;
}

/** Calls with the descriptor of a trusted directory and closes it. */
export function withDirectory<T>(path: string, use: (descriptor: number) => T): T {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return use(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** A path that means the open file itself, whatever has been renamed since. Only this process may use it. */
export const descriptorPath = (descriptor: number): string => `/proc/self/fd/${descriptor}`;
