// Joins a running container's own input and output through its monitor. conmon listens on the socket "attach" in the
// bundle, one packet a piece (SOCK_SEQPACKET, which Node cannot open): from it come output with its stream in the first
// byte, to it goes input as it is. Whoever attaches sees what is written from then on; several may.
import { closeSync, constants, openSync } from 'node:fs';
import { Writable } from 'node:stream';
import koffi from 'koffi';
import { PodwrightError } from '../base/errors.ts';
import type { ExecOptions, ExecProcess } from './machine.ts';
import { errnoName, libc } from './system/libc.ts';
import { O_PATH } from './system/open-beneath.ts';
import { resizeTerminalOf } from './system/pty.ts';
import { addressIn, openUnixSocket, SOCK } from './system/unix-socket.ts';

const connect = libc.func('int connect(int fd, const void *address, unsigned int length)');
const recv = libc.func('long recv(int fd, _Out_ void *buffer, size_t length, int flags)');
const send = libc.func('long send(int fd, const void *buffer, size_t length, int flags)');
const shutdown = libc.func('int shutdown(int fd, int how)');

const MSG_NOSIGNAL = 0x4000;
const SHUT_WR = 1;
/** conmon's own buffer and the byte before it. */
const PACKET_BYTES = 32 * 1024 + 1;
const STDERR = 3;

const isAgain = (): boolean => koffi.errno() === koffi.os.errno.EAGAIN;

function connectTo(bundle: string): number {
  const directory = openSync(bundle, O_PATH | constants.O_DIRECTORY);
  try {
    const fd = openUnixSocket(SOCK.SEQPACKET);
    const address = addressIn(directory, 'attach');
    if (connect(fd, address, address.length) === 0) return fd;
    const why = errnoName(koffi.errno());
    closeSync(fd);
    throw new PodwrightError('NotFound', `attach to the container: its monitor does not answer: ${why}`);
  } finally {
    closeSync(directory);
  }
}

/** One attachment. Invariant: the descriptor is closed exactly once, after the poll that looks at it. */
class Attachment {
  readonly #fd: number;
  readonly #options: Omit<ExecOptions, 'command'>;
  readonly #buffer = Buffer.alloc(PACKET_BYTES);
  readonly #poll: ReturnType<typeof koffi.node.poll>;
  readonly #ended = Promise.withResolvers<number>();
  #blocked: (() => void) | undefined;
  #isPaused = false;
  #isClosed = false;

  constructor(fd: number, options: Omit<ExecOptions, 'command'>) {
    this.#fd = fd;
    this.#options = options;
    this.#poll = koffi.node.poll(fd, { readable: true }, this.#onEvents);
    options.signal.addEventListener('abort', this.#close, { once: true });
    options.stdin?.pipe(this.#input());
    if (options.signal.aborted) this.#close();
  }

  get ended(): Promise<number> {
    return this.#ended.promise;
  }

  readonly #onEvents = (): void => {
    const blocked = this.#blocked;
    this.#blocked = undefined;
    blocked?.();
    while (!this.#isPaused && !this.#isClosed && this.#receive());
    this.#watch();
  };

  #watch(): void {
    if (this.#isClosed) return;
    const wanted = { readable: !this.#isPaused, writable: this.#blocked !== undefined };
    if (wanted.readable || wanted.writable) this.#poll.start(wanted, this.#onEvents);
    else this.#poll.stop();
  }

  /** False when there is nothing more for now, or for ever. */
  #receive(): boolean {
    const length = Number(recv(this.#fd, this.#buffer, PACKET_BYTES, 0));
    if (length < 0 && isAgain()) return false;
    if (length <= 0) {
      this.#close();
      return false;
    }
    const { stdout, stderr } = this.#options;
    const target = this.#buffer[0] === STDERR ? (stderr ?? stdout) : stdout;
    if (!target.write(Buffer.from(this.#buffer.subarray(1, length)))) this.#pauseFor(target);
    return true;
  }

  #pauseFor(target: Writable): void {
    this.#isPaused = true;
    target.once('drain', () => {
      this.#isPaused = false;
      this.#watch();
    });
  }

  #input(): Writable {
    const write = (chunk: Buffer, callback: (error?: Error) => void): void => {
      const length = Math.min(chunk.length, PACKET_BYTES - 1);
      const sent = this.#isClosed ? -1 : Number(send(this.#fd, chunk, length, MSG_NOSIGNAL));
      if (sent < 0 && !this.#isClosed && isAgain()) {
        this.#blocked = () => write(chunk, callback);
        this.#watch();
      } else if (sent >= 0 && sent < chunk.length) write(chunk.subarray(sent), callback);
      // Written, or the container has ended, which the output's end tells.
      else callback();
    };
    return new Writable({
      write: (chunk: Buffer, _encoding, callback) => write(chunk, callback),
      final: (callback) => {
        if (!this.#isClosed) shutdown(this.#fd, SHUT_WR);
        callback();
      },
    });
  }

  readonly #close = (): void => {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#options.signal.removeEventListener('abort', this.#close);
    this.#poll.close();
    closeSync(this.#fd);
    this.#blocked?.();
    this.#ended.resolve(0);
  };
}

/** `pid` is the container's PID 1. */
export type AttachTarget = { readonly bundle: string; readonly pid: number };

/** Throws NotFound when the container's monitor is not there any more. */
export function attachToContainer(target: AttachTarget, options: Omit<ExecOptions, 'command'>): ExecProcess {
  options.signal.throwIfAborted();
  const attachment = new Attachment(connectTo(target.bundle), options);
  const resize: ExecProcess['resize'] = (size) => {
    if (options.tty) resizeTerminalOf(target.pid, size);
  };
  return { exitCode: attachment.ended, resize };
}
