// SPDY/3.1, the server's end, as far as Kubernetes' streaming protocols use it: the client opens streams with headers, both
// sides send data on them and half-close them. Pushes, priorities and HTTP semantics are left out; flow control is too:
// the clients (moby/spdystream) have none, the connection below holds back instead.
// https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/
//
// Invariant: frames are handled one after another, because all headers of a connection share one compression.
import { Duplex } from 'node:stream';
import { createDeflate, createInflate, constants as zlib } from 'node:zlib';
import { BOUNDS } from '../../../base/bounds.ts';
import { SPDY_DICTIONARY } from './spdy-dictionary.ts';

const TYPE = { synStream: 1, synReply: 2, rstStream: 3, ping: 6, goAway: 7 } as const;
const FLAG_FIN = 1;
const RST_PROTOCOL_ERROR = 1;
const RST_CANCEL = 5;
const HEADER_BYTES = 8;

export type SpdyStream = {
  readonly id: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly duplex: Duplex;
};

type Block = { readonly write: (bytes: Buffer) => Promise<Buffer> };

/** One end of the headers' compression: each block goes through the same zlib stream, flushed at its end. */
function compression(stream: ReturnType<typeof createDeflate | typeof createInflate>): Block {
  let output: Buffer[] = [];
  let bytes = 0;
  let fail: (error: Error) => void = () => {};
  stream.on('error', (error) => fail(error));
  stream.on('data', (chunk: Buffer) => {
    output.push(chunk);
    bytes += chunk.length;
    if (bytes > BOUNDS.spdyHeaderBytes) stream.destroy(new Error('SPDY: the headers are too large'));
  });
  const write = (block: Buffer): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      fail = reject;
      output = [];
      bytes = 0;
      stream.write(block);
      stream.flush(zlib.Z_SYNC_FLUSH, () => resolve(Buffer.concat(output)));
    });
  return { write };
}

function parseHeaders(block: Buffer): Map<string, string> {
  const headers = new Map<string, string>();
  let offset = 4;
  const text = (): string => {
    const length = block.readUInt32BE(offset);
    offset += 4 + length;
    if (offset > block.length) throw new Error('SPDY: a header is cut off');
    return block.toString('utf8', offset - length, offset);
  };
  const count = block.readUInt32BE(0);
  while (headers.size < count) {
    const name = text();
    headers.set(name.toLowerCase(), text());
  }
  return headers;
}

function controlFrame(type: number, flags: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(HEADER_BYTES);
  head.writeUInt16BE(0x8003, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt32BE(((flags << 24) | payload.length) >>> 0, 4);
  return Buffer.concat([head, payload]);
}

function dataFrame(id: number, flags: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(HEADER_BYTES);
  head.writeUInt32BE(id, 0);
  head.writeUInt32BE(((flags << 24) | payload.length) >>> 0, 4);
  return Buffer.concat([head, payload]);
}

function uint32s(...numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(numbers.length * 4);
  for (const [index, number] of numbers.entries()) bytes.writeUInt32BE(number, index * 4);
  return bytes;
}

type Frame = {
  /** Undefined: data. */
  readonly type: number | undefined;
  readonly word: number;
  readonly flags: number;
  readonly payload: Buffer;
};

/** Cuts a byte stream into frames. @throws when a frame is too large. */
async function* frames(transport: Duplex): AsyncGenerator<Frame, void, void> {
  let pending: Buffer = Buffer.alloc(0);
  for await (const chunk of transport as AsyncIterable<Buffer>) {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    while (pending.length >= HEADER_BYTES) {
      const length = pending.readUInt32BE(4) & 0xffffff;
      if (length > BOUNDS.spdyFrameBytes) throw new Error(`SPDY: a frame of ${length} bytes`);
      if (pending.length < HEADER_BYTES + length) break;
      const word = pending.readUInt32BE(0);
      const payload = pending.subarray(HEADER_BYTES, HEADER_BYTES + length);
      yield { type: word >>> 31 === 1 ? word & 0xffff : undefined, word, flags: pending[4] ?? 0, payload };
      pending = pending.subarray(HEADER_BYTES + length);
    }
  }
}

class SpdyConnection {
  readonly #transport: Duplex;
  readonly #onStream: (stream: SpdyStream) => void;
  readonly #streams = new Map<number, Duplex>();
  #pings = 0;
  readonly #inflate = compression(createInflate({ dictionary: SPDY_DICTIONARY }));
  readonly #deflate = compression(createDeflate({ dictionary: SPDY_DICTIONARY }));

  constructor(transport: Duplex, onStream: (stream: SpdyStream) => void) {
    this.#transport = transport;
    this.#onStream = onStream;
  }

  /** Resolves when the connection has ended, whichever way; all of its streams have then, too. */
  async run(): Promise<void> {
    // The loop below may be waiting for a stream that nobody reads: it must not wait longer than the client is there.
    this.#transport.once('close', () => this.#destroyStreams());
    const heartbeat = setInterval(() => this.#ping(), BOUNDS.streamHeartbeatMs);
    try {
      for await (const frame of frames(this.#transport)) await this.#take(frame);
    } catch {
      // A connection that breaks or speaks nonsense ends like one that was closed.
    } finally {
      clearInterval(heartbeat);
      this.#transport.destroy();
      this.#destroyStreams();
    }
  }

  /** Even numbers are the server's. The answer says nothing new. */
  #ping(): void {
    this.#pings += 2;
    this.#send(controlFrame(TYPE.ping, 0, uint32s(this.#pings)));
  }

  #destroyStreams(): void {
    for (const stream of this.#streams.values()) stream.destroy();
  }

  async #take({ type, word, flags, payload }: Frame): Promise<void> {
    switch (type) {
      case undefined:
        await this.#takeData(word & 0x7fffffff, flags, payload);
        return;
      case TYPE.synStream:
        await this.#open(payload, flags);
        return;
      case TYPE.rstStream:
        this.#streams.get(payload.readUInt32BE(0))?.destroy();
        return;
      case TYPE.ping:
        if (payload.readUInt32BE(0) % 2 === 0) return;
        this.#send(controlFrame(TYPE.ping, 0, payload));
        return;
      case TYPE.goAway:
        this.#transport.end();
        return;
      default:
      // SETTINGS, HEADERS and WINDOW_UPDATE ask for nothing that is not given anyway.
    }
  }

  async #takeData(id: number, flags: number, payload: Buffer): Promise<void> {
    const stream = this.#streams.get(id);
    if (stream === undefined || stream.destroyed) return;
    if (payload.length > 0 && !stream.push(payload)) await drained(stream);
    if ((flags & FLAG_FIN) !== 0) stream.push(null);
  }

  async #open(payload: Buffer, flags: number): Promise<void> {
    const id = payload.readUInt32BE(0) & 0x7fffffff;
    const headers = parseHeaders(await this.#inflate.write(payload.subarray(10)));
    if (this.#streams.has(id) || this.#streams.size >= BOUNDS.spdyStreams) {
      this.#send(controlFrame(TYPE.rstStream, 0, uint32s(id, RST_PROTOCOL_ERROR)));
      return;
    }
    const duplex = this.#duplex(id);
    this.#streams.set(id, duplex);
    if ((flags & FLAG_FIN) !== 0) duplex.push(null);
    const reply = Buffer.concat([uint32s(id), await this.#deflate.write(uint32s(0))]);
    this.#send(controlFrame(TYPE.synReply, 0, reply));
    this.#onStream({ id, headers, duplex });
  }

  #duplex(id: number): Duplex {
    const stream: Duplex = new Duplex({
      read: () => stream.emit('wanted'),
      write: (chunk: Buffer, _encoding, callback) => this.#send(dataFrame(id, 0, chunk), callback),
      final: (callback) => this.#send(dataFrame(id, FLAG_FIN, Buffer.alloc(0)), callback),
      destroy: (error, callback) => {
        this.#streams.delete(id);
        if (!stream.writableFinished) this.#send(controlFrame(TYPE.rstStream, 0, uint32s(id, RST_CANCEL)));
        callback(error);
      },
    });
    stream.on('error', () => {});
    return stream;
  }

  #send(frame: Buffer, callback: () => void = () => {}): void {
    if (this.#transport.writable) this.#transport.write(frame, () => callback());
    else callback();
  }
}

/** Until the stream's reader wants more, or is gone. */
function drained(stream: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      stream.off('wanted', settle);
      stream.off('close', settle);
      resolve();
    };
    stream.on('wanted', settle);
    stream.on('close', settle);
  });
}

/** Speaks SPDY on the transport, which it owns, until that ends. `onStream` gets each stream the client opens. */
export function serveSpdy(transport: Duplex, onStream: (stream: SpdyStream) => void): Promise<void> {
  return new SpdyConnection(transport, onStream).run();
}
