/** @file Four f32 lanes as two pairs of f64: for functions whose f32 roundings would add up. f64 SIMD has the same bits everywhere, too. */
import type { FunctionBuilder, Local } from "../wasm/assembler.js";

/** Runs `body` on the low and the high pair of lanes of the operands, in f64; it leaves one f64x2. Pushes the results, rounded to f32. */
export function emitWide(
  f: FunctionBuilder,
  operands: readonly Local[],
  body: (pairs: readonly Local[]) => void,
): void {
  const pairs = operands.map(() => f.local("v128"));
  for (const half of [0, 1]) {
    for (const [i, operand] of operands.entries()) {
      f.get(operand);
      if (half === 1) f.get(operand).shuffle32([2, 3, 2, 3]);
      f.op("f64x2.promote_low_f32x4").set(pairs[i] as Local);
    }
    body(pairs);
    f.op("f32x4.demote_f64x2_zero");
  }
  f.shuffle32([0, 1, 4, 5]);
}

/** Pushes a constant in both f64 lanes. */
export function pushWide(f: FunctionBuilder, value: number): FunctionBuilder {
  return f.f64(value).op("f64x2.splat");
}

/** Pushes ((c[0] * x + c[1]) * x + c[2]) ... in f64. */
export function emitWidePolynomial(f: FunctionBuilder, x: Local, coefficients: readonly number[]): void {
  coefficients.forEach((coefficient, i) => {
    if (i > 0) f.get(x).op("f64x2.mul");
    pushWide(f, coefficient);
    if (i > 0) f.op("f64x2.add");
  });
}
