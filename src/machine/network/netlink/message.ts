// Netlink messages as bytes: a header, the family's own fixed part, attributes (type, length, value, padded to four). Data
// only; socket.ts sends them. https://docs.kernel.org/userspace-api/netlink/intro.html
//
// Invariant: numbers are in the machine's byte order, as netlink wants them (little-endian on what we run on), unless an
// attribute is a network address.

/** A number is 32 bits wide, a text ends with NUL, a list is nested. */
export type AttributeValue = Uint8Array | string | number | readonly Attribute[];
export type Attribute = readonly [type: number, value: AttributeValue];

export type NetlinkMessage = {
  readonly type: number;
  /** NLM_F_REQUEST and NLM_F_ACK are always there. */
  readonly flags?: number | undefined;
  /** The fixed part, as struct ifinfomsg. */
  readonly fixed: Uint8Array;
  readonly attributes?: readonly Attribute[] | undefined;
};

export const NLM_F = { REQUEST: 1, ACK: 4, DUMP: 0x300, REPLACE: 0x100, EXCL: 0x200, CREATE: 0x400 } as const;

const HEADER_BYTES = 16;
const NESTED = 0x8000;
const TYPE_MASK = 0x3fff;
const aligned = (length: number): number => (length + 3) & ~3;

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** Of a number that is stored as eight or sixteen bits. */
export const u8 = (value: number): Buffer => Buffer.from([value]);

function valueBytes(value: AttributeValue): Uint8Array {
  if (typeof value === 'number') return u32(value);
  if (typeof value === 'string') return Buffer.from(`${value}\0`);
  return value instanceof Uint8Array ? value : encodeAttributes(value);
}

export function encodeAttributes(attributes: readonly Attribute[]): Buffer {
  return Buffer.concat(
    attributes.map(([type, value]) => {
      const content = valueBytes(value);
      const bytes = Buffer.alloc(aligned(4 + content.length));
      bytes.writeUInt16LE(4 + content.length, 0);
      bytes.writeUInt16LE(Array.isArray(value) ? type | NESTED : type, 2);
      bytes.set(content, 4);
      return bytes;
    }),
  );
}

export function encodeMessage(message: NetlinkMessage, sequence: number): Buffer {
  const { type, flags = 0, fixed, attributes = [] } = message;
  const body = Buffer.concat([
    fixed,
    Buffer.alloc(aligned(fixed.length) - fixed.length),
    encodeAttributes(attributes),
  ]);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(HEADER_BYTES + body.length, 0);
  header.writeUInt16LE(type, 4);
  header.writeUInt16LE(NLM_F.REQUEST | NLM_F.ACK | flags, 6);
  header.writeUInt32LE(sequence, 8);
  return Buffer.concat([header, body]);
}

/** What a message of the kernel's says, its fixed part included. */
export type NetlinkReply = {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly body: Buffer;
};

/** Of one datagram, which may hold several messages. */
export function decodeMessages(datagram: Buffer): NetlinkReply[] {
  const replies: NetlinkReply[] = [];
  for (let at = 0; at + HEADER_BYTES <= datagram.length; ) {
    const length = datagram.readUInt32LE(at);
    if (length < HEADER_BYTES || at + length > datagram.length) break;
    replies.push({
      type: datagram.readUInt16LE(at + 4),
      flags: datagram.readUInt16LE(at + 6),
      sequence: datagram.readUInt32LE(at + 8),
      body: datagram.subarray(at + HEADER_BYTES, at + length),
    });
    at += aligned(length);
  }
  return replies;
}

/** Of the bytes that follow a fixed part. */
export function decodeAttributes(bytes: Buffer): ReadonlyMap<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt16LE(at);
    if (length < 4 || at + length > bytes.length) break;
    found.set(bytes.readUInt16LE(at + 2) & TYPE_MASK, bytes.subarray(at + 4, at + length));
    at += aligned(length);
  }
  return found;
}
