/**
 * @file Powers of two modulo 2 pi, for the arguments of sin and cos that are too large to be reduced by a product with pi/2.
 *
 * Entry k, 0 <= k <= maxExponent: four f64: 2^-k, and 2^k mod 2 pi as a sum of 26, 26 and 53 bits, so that the product of the first
 * two with a 24-bit mantissa is exact.
 * @source The digits of pi; the scheme is that of Payne and Hanek (1983) turned round: modulo first, product after.
 */

/** x = mantissa * 2^k with a mantissa below 2^24 reaches the largest f32 at k = 104. */
export const maxExponent = 104;
export const piTableEntryBytes = 32;

/** pi * 2^400, rounded down. */
const piDigits =
  0x3243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89452821e638d01377be5466cf34e90c6cc0acn;
const piBits = 400n;

/** Value of the bits of `fraction` (scaled by 2^400) that are worth at least 2^lowestBit, and the rest. */
function splitAt(fraction: bigint, lowestBit: bigint): { readonly value: number; readonly rest: bigint } {
  const shift = piBits + lowestBit;
  const head = fraction >> shift;
  return { value: scale(Number(head), Number(lowestBit)), rest: fraction - (head << shift) };
}

function scale(value: number, exponent: number): number {
  let result = value;
  for (let i = 0; i < Math.abs(exponent); i++) result = exponent < 0 ? result / 2 : result * 2;
  return result;
}

export function piTable(): Float64Array {
  const table = new Float64Array((maxExponent + 1) * 4);
  const twoPi = piDigits * 2n;
  let remainder = 1n << piBits;
  for (let k = 0; k <= maxExponent; k++) {
    const high = splitAt(remainder, -23n);
    const middle = splitAt(high.rest, -49n);
    const low = splitAt(middle.rest, -102n);
    table.set([scale(1, -k), high.value, middle.value, low.value], 4 * k);
    remainder = (remainder * 2n) % twoPi;
  }
  return table;
}
