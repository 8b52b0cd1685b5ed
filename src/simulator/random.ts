// Chance that repeats: the same seed gives the same numbers on every machine (mulberry32, 32 bits of state).
export type Random = () => number;

/** Numbers in [0, 1). */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Exponentially distributed with that mean: times between independent arrivals. */
export function exponential(random: Random, mean: number): number {
  return -mean * Math.log(1 - random());
}
