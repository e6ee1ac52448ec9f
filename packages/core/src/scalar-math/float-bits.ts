/** @file The bits of an f64, read and written the same way on every engine. */

const view = new DataView(new ArrayBuffer(8));

/** Upper 32 bits (sign, exponent, 20 bits of fraction), as i32. */
export function highWord(x: number): number {
  view.setFloat64(0, x, true);
  return view.getInt32(4, true);
}

/** Lower 32 bits of the fraction, as i32. */
export function lowWord(x: number): number {
  view.setFloat64(0, x, true);
  return view.getInt32(0, true);
}

/** The f64 with these words. */
export function fromWords(high: number, low: number): number {
  view.setInt32(4, high, true);
  view.setInt32(0, low, true);
  return view.getFloat64(0, true);
}

/** x with its lower word replaced. */
export function withLowWord(x: number, low: number): number {
  return fromWords(highWord(x), low);
}

/** 2^n for n in [-1022, 1023], exact. */
export function powerOfTwo(n: number): number {
  return fromWords((n + 1023) << 20, 0);
}

/** x * 2^n, rounded once when the result is below the normal range. n in [-1100, 1100]. */
export function scaleByPowerOfTwo(x: number, n: number): number {
  if (n > 1023) return x * powerOfTwo(1023) * powerOfTwo(n - 1023);
  // Above 2^-1022 the product is exact; the last factor rounds, once.
  if (n < -1022) return x * powerOfTwo(n + 1000) * powerOfTwo(-1000);
  return x * powerOfTwo(n);
}
