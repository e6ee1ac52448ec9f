/**
 * @file binary16 on the host: the same rounding as the kernels' (math/half.ts), so that a number is the same whoever converts it.
 *
 * To nearest, ties to even; beyond 65,504 (from 65,520 on) infinity, NaN the quiet one.
 * @source IEEE 754-2019, sections 3.6 and 4.3.1.
 */

const one = new Float32Array(1);
const oneWord = new Uint32Array(one.buffer);

/** The 16 bits of a number that was an f32. */
export function halfBits(value: number): number {
  one[0] = value;
  const word = oneWord[0]!;
  const sign = (word >>> 16) & 0x8000;
  const size = word & 0x7fffffff;
  if (size > 0x7f800000) return sign | 0x7e00;
  if (size >= 0x477ff000) return sign | 0x7c00;
  if (size >= 0x38800000) return sign | ((size - 0x38000000 + 0xfff + ((size >>> 13) & 1)) >>> 13);
  // Below the normal range: multiples of 2^-24.
  const shift = Math.min(126 - (size >>> 23), 31);
  const digits = (size & 0x7fffff) | 0x800000;
  const kept = digits >>> shift;
  const rest = digits - kept * 2 ** shift;
  const tie = 2 ** (shift - 1);
  return sign | (rest > tie || (rest === tie && (kept & 1) === 1) ? kept + 1 : kept);
}

/** The number of 16 bits: every binary16 is an f32. */
export function halfValue(bits: number): number {
  const sign = (bits & 0x8000) === 0 ? 1 : -1;
  const exponent = (bits >>> 10) & 0x1f;
  const digits = bits & 0x3ff;
  if (exponent === 0x1f) return digits === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? digits * 2 ** -24 : (digits + 1024) * 2 ** (exponent - 25));
}

export function halvesOf(values: Float32Array): Uint16Array<ArrayBuffer> {
  const halves = new Uint16Array(values.length + (values.length % 2));
  for (let i = 0; i < values.length; i++) halves[i] = halfBits(values[i]!);
  return halves;
}

let table: Float32Array | undefined;

export function floatsOfHalves(halves: Uint16Array): Float32Array<ArrayBuffer> {
  table ??= Float32Array.from({ length: 65_536 }, (_, bits) => halfValue(bits));
  const values = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) values[i] = table[halves[i]!]!;
  return values;
}
