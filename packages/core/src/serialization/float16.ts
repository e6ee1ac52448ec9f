/** @file 16-bit floating-point numbers, widened to f32 without rounding. */

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

/** IEEE 754 binary16. NaN payloads keep their bits. */
export function float16ToFloat32(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) {
    // Zero or subnormal: fraction * 2^-24, exact in f32.
    const magnitude = fraction * 5.9604644775390625e-8;
    return sign === 0 ? magnitude : -magnitude;
  }
  const wide = exponent === 31 ? 255 : exponent + 112;
  bits[0] = sign | (wide << 23) | (fraction << 13);
  return float[0]!;
}

/** bfloat16: the upper half of an f32. */
export function bfloat16ToFloat32(half: number): number {
  bits[0] = half << 16;
  return float[0]!;
}
