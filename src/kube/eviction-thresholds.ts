// Eviction thresholds as the kubelet's configuration writes them: "memory.available<100Mi,nodefs.available<10%".
// https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#eviction-thresholds
import { parseDurationMs } from './age.ts';
import { isQuantity, quantityValue } from './quantity.ts';

/** What there is to run out of, and of which resource of a pod. In the order in which it is fought: memory first. */
export const SIGNALS = {
  'memory.available': 'memory',
  'nodefs.available': 'ephemeral-storage',
  'nodefs.inodesFree': 'inodes',
  'imagefs.available': 'ephemeral-storage',
  'imagefs.inodesFree': 'inodes',
  'pid.available': 'pids',
} as const;

export type Signal = keyof typeof SIGNALS;
export type StarvedResource = (typeof SIGNALS)[Signal];

export type Threshold = {
  readonly signal: Signal;
  /** Of the capacity, where it is a share. */
  readonly percent?: number | undefined;
  readonly quantity?: number | undefined;
  /** As it was written. */
  readonly text: string;
  /** How long it must be met: 0 is a hard threshold. */
  readonly graceMs: number;
};

const isSignal = (text: string): text is Signal => Object.hasOwn(SIGNALS, text);

/** "a<1,b<2" as pairs; undefined when it is not of that form or names an unknown signal. */
function pairs(text: string, sign: '<' | '='): readonly (readonly [Signal, string])[] | undefined {
  const found: (readonly [Signal, string])[] = [];
  for (const one of text.split(',').filter((part) => part.trim() !== '')) {
    const [signal = '', value, ...more] = one.trim().split(sign);
    if (!isSignal(signal) || value === undefined || more.length > 0) return undefined;
    found.push([signal, value]);
  }
  return found;
}

/** Undefined when it does not parse. An empty text: none. */
export function parseThresholds(text: string): readonly Threshold[] | undefined {
  const thresholds = pairs(text, '<')?.map(([signal, value]): Threshold | undefined => {
    const percent = /^(\d+(?:\.\d+)?)%$/.exec(value)?.[1];
    if (percent !== undefined)
      return Number(percent) <= 100
        ? { signal, percent: Number(percent), text: value, graceMs: 0 }
        : undefined;
    return isQuantity(value)
      ? { signal, quantity: quantityValue(value), text: value, graceMs: 0 }
      : undefined;
  });
  return thresholds?.every((one) => one !== undefined) ? thresholds : undefined;
}

/** "memory.available=1m30s": how long a soft threshold must be met. */
export function parseGracePeriods(text: string): ReadonlyMap<Signal, number> | undefined {
  const found = pairs(text, '=')?.map(([signal, value]) => [signal, parseDurationMs(value)] as const);
  const isWhole = (one: readonly [Signal, number | undefined]): one is readonly [Signal, number] =>
    one[1] !== undefined && one[1] > 0;
  return found?.every(isWhole) ? new Map(found) : undefined;
}

/** How much must be left. */
export function leastOf({ percent, quantity = 0 }: Threshold, capacity: number): number {
  return percent === undefined ? quantity : (capacity * percent) / 100;
}
