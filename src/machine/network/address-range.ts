// The addresses of the pods: which there are in a CIDR, and which is next. Pure; who has which is bridge-network.ts's.
import { isIPv4 } from 'node:net';
import { PodwrightError } from '../../base/errors.ts';

export type AddressRange = {
  readonly cidr: string;
  readonly prefixLength: number;
  /** The bridge's own: the first of the range. */
  readonly gateway: string;
  readonly broadcast: string;
  /** As numbers, both included. */
  readonly first: number;
  readonly last: number;
};

export const addressNumber = (address: string): number =>
  Buffer.from(address.split('.').map(Number)).readUInt32BE(0);

export function addressText(number: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(number);
  return [...bytes].join('.');
}

/** Throws InvalidInput. */
export function parseRange(cidr: string): AddressRange {
  const [address = '', prefix = ''] = cidr.split('/');
  const prefixLength = Number(prefix);
  if (!isIPv4(address) || !/^\d+$/.test(prefix) || prefixLength < 8 || prefixLength > 29) {
    throw new PodwrightError(
      'InvalidInput',
      `pod CIDR ${JSON.stringify(cidr)}: want an IPv4 range like 10.88.0.0/16, /8 to /29`,
    );
  }
  const size = 2 ** (32 - prefixLength);
  const network = addressNumber(address) - (addressNumber(address) % size);
  const broadcast = network + size - 1;
  return {
    cidr,
    prefixLength,
    gateway: addressText(network + 1),
    broadcast: addressText(broadcast),
    first: network + 2,
    last: broadcast - 1,
  };
}

/** The range in equal parts, as many as the next power of two; the first `count` of them. Throws InvalidInput. */
export function subranges(cidr: string, count: number): readonly string[] {
  const { prefixLength, gateway } = parseRange(cidr);
  const longer = prefixLength + Math.ceil(Math.log2(count));
  const first = addressNumber(gateway) - 1;
  if (longer > 29)
    throw new PodwrightError('InvalidInput', `pod CIDR ${cidr} is too small for ${count} nodes`);
  return Array.from(
    { length: count },
    (_, part) => `${addressText(first + part * 2 ** (32 - longer))}/${longer}`,
  );
}

/**
 * The next free one behind `after`, round and round: an address that was just given back rests as long as possible, so
 * that what still speaks to its former pod does not reach another. undefined when every one is taken.
 */
export function nextAddress(
  { first, last }: AddressRange,
  taken: ReadonlySet<string>,
  after: string | undefined,
): string | undefined {
  const size = last - first + 1;
  const start = after === undefined ? 0 : addressNumber(after) + 1 - first;
  for (let step = 0; step < size; step += 1) {
    const address = addressText(first + ((((start + step) % size) + size) % size));
    if (!taken.has(address)) return address;
  }
  return undefined;
}
