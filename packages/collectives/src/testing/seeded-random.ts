/** A small generator for tests (mulberry32): the same numbers for the same seed, everywhere. */
export interface SeededRandom {
  /** In [0, 1). */
  next(): number;
  /** Integer in [lo, hi]. */
  between(lo: number, hi: number): number;
}

export function createSeededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  return { next, between: (lo, hi) => lo + Math.floor(next() * (hi - lo + 1)) };
}
