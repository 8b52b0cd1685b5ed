// Chance that can be given again: one seed, one sequence of draws. It says what is tried; when the machine answers is the
// machine's, so the same seed repeats the same wishes and not the same microseconds.

export type Random = {
  /** In [0, 1). */
  next(): number;
  /** Both ends included. */
  integer(from: number, to: number): number;
  /** True in so many of a hundred draws. */
  chance(percent: number): boolean;
  /** undefined for an empty list. */
  pick<T>(list: readonly T[]): T | undefined;
};

/** mulberry32: 32 bits of state, good enough to choose by. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const integer = (from: number, to: number): number => from + Math.floor(next() * (to - from + 1));
  return {
    next,
    integer,
    chance: (percent) => next() * 100 < percent,
    pick: (list) => list[integer(0, list.length - 1)],
  };
}
