// resource.Quantity: "100m", "1.5Gi", "12e6". Kept exact by scaled integers, as milli-units in a bigint.
// https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
import type { Quantity } from './api-types.ts';

const PATTERN = /^([+-]?)(\d+\.?\d*|\.\d+)(?:([eE][+-]?\d+)|(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E)?)$/;

const BINARY: Record<string, bigint> = {
  Ki: 2n ** 10n,
  Mi: 2n ** 20n,
  Gi: 2n ** 30n,
  Ti: 2n ** 40n,
  Pi: 2n ** 50n,
  Ei: 2n ** 60n,
};
const DECIMAL_EXPONENT: Record<string, number> = {
  n: -9,
  u: -6,
  m: -3,
  '': 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};

/** Thousandths of the unit, rounded up as Kubernetes rounds; undefined when the text is no quantity. */
function parseMilli(quantity: Quantity): bigint | undefined {
  const match = PATTERN.exec(String(quantity));
  if (match === null) return undefined;
  const [, sign = '', digits = '0', exponentText, suffix = ''] = match;
  const [whole = '', fraction = ''] = digits.split('.');
  let numerator = BigInt(whole + fraction);
  let exponent = 3 - fraction.length;
  const factor = BINARY[suffix];
  if (factor !== undefined) numerator *= factor;
  else
    exponent += exponentText === undefined ? (DECIMAL_EXPONENT[suffix] ?? 0) : Number(exponentText.slice(1));
  if (Math.abs(exponent) > 40) return undefined;
  let milli = numerator;
  if (exponent >= 0) milli = numerator * 10n ** BigInt(exponent);
  else {
    const divisor = 10n ** BigInt(-exponent);
    milli = (numerator + divisor - 1n) / divisor;
  }
  return sign === '-' ? -milli : milli;
}

export const isQuantity = (text: string): boolean => parseMilli(text) !== undefined;

/** Milli-units: milli-CPUs for cpu. An unparsable quantity is a programmer error: validation came before. */
export function quantityMilli(quantity: Quantity): number {
  const milli = parseMilli(quantity);
  if (milli === undefined) throw new Error(`not a quantity: ${JSON.stringify(quantity)}`);
  return Number(milli);
}

/** Whole units, rounded up: bytes for memory. */
export function quantityValue(quantity: Quantity): number {
  const milli = parseMilli(quantity);
  if (milli === undefined) throw new Error(`not a quantity: ${JSON.stringify(quantity)}`);
  return Number(milli >= 0n ? (milli + 999n) / 1000n : milli / 1000n);
}
