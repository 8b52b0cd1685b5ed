// Locks of open files (fcntl(2), F_OFD_SETLKW): they exclude the POSIX locks of other programs on the same file. Not
// flock(2), which those programs would not see.
import koffi from 'koffi';
import { PodwrightError } from '../../base/errors.ts';

const F_OFD_SETLKW = 38;
const F_WRLCK = 1;
const SEEK_SET = 0;

const libc = koffi.load('libc.so.6');
koffi.struct('podwright_flock', {
  l_type: 'short',
  l_whence: 'short',
  l_start: 'int64',
  l_len: 'int64',
  l_pid: 'int',
});
const fcntl = libc.func('int fcntl(int fd, int command, podwright_flock *lock)');

/** Waits on another thread for the write lock of the whole file; closing the descriptor gives it back. */
export function lockFile(descriptor: number): Promise<void> {
  const lock = { l_type: F_WRLCK, l_whence: SEEK_SET, l_start: 0, l_len: 0, l_pid: 0 };
  return new Promise((resolve, reject) => {
    fcntl.async(descriptor, F_OFD_SETLKW, lock, (error: unknown, result: number) => {
      if (error) reject(error);
      else if (result === 0) resolve();
      else reject(new PodwrightError('SystemCall', `lock file descriptor ${descriptor}: fcntl failed`));
    });
  });
}
