// The one spelling kube-apiserver stores of a resource.Quantity: no fraction, the largest suffix that loses nothing,
// binary or decimal as it was written ("0.5" -> "500m", "1024Mi" -> "1Gi").
// https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/

const PATTERN =
  /^([+-]?)(?=\.?\d)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,2})|(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E)?)$/;
const BINARY = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
const DECIMAL = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'];
const NANO = 10n ** 9n;

/** Divides rounding away from zero, as Quantity does for what is finer than it can hold. */
function divideUp(value: bigint, divisor: bigint): bigint {
  return value % divisor === 0n ? value / divisor : value / divisor + 1n;
}

function decimalText(nano: bigint, hasExponent: boolean): string {
  let index = 0;
  let mantissa = nano;
  while (index < DECIMAL.length - 1 && mantissa % 1000n === 0n) {
    mantissa /= 1000n;
    index += 1;
  }
  const exponent = (index - 3) * 3;
  if (!hasExponent) return `${mantissa}${DECIMAL[index]}`;
  return exponent === 0 ? `${mantissa}` : `${mantissa}e${exponent}`;
}

function binaryText(units: bigint): string {
  let index = 0;
  let mantissa = units;
  while (index < BINARY.length - 1 && mantissa % 1024n === 0n) {
    mantissa /= 1024n;
    index += 1;
  }
  return `${mantissa}${BINARY[index]}`;
}

/** Undefined when the text is no quantity. */
export function canonicalQuantity(text: string): string | undefined {
  const match = PATTERN.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = '', fraction = '', exponent, suffix = ''] = match;
  const binary = BINARY.indexOf(suffix);
  const isBinary = suffix !== '' && binary > 0;
  let nano = BigInt(whole + fraction) * NANO;
  let power = -fraction.length;
  if (isBinary) nano *= 1024n ** BigInt(binary);
  else power += exponent === undefined ? (DECIMAL.indexOf(suffix) - 3) * 3 : Number(exponent);
  nano = power >= 0 ? nano * 10n ** BigInt(power) : divideUp(nano, 10n ** BigInt(-power));
  if (nano === 0n) return '0';
  const minus = sign === '-' ? '-' : '';
  // Below 1024 a binary suffix says nothing.
  if (isBinary && nano >= 1024n * NANO) return minus + binaryText(divideUp(nano, NANO));
  return minus + decimalText(nano, exponent !== undefined);
}
