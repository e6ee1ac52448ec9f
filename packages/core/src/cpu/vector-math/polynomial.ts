/** @file Horner's scheme on four lanes, every multiply and add rounded apart. */
import type { FunctionBuilder, Local } from "../wasm/assembler.js";

/** Pushes ((c[0] * x + c[1]) * x + c[2]) ... */
export function emitPolynomial(f: FunctionBuilder, x: Local, coefficients: readonly number[]): void {
  coefficients.forEach((coefficient, i) => {
    if (i > 0) f.get(x).op("f32x4.mul");
    f.f32x4(coefficient);
    if (i > 0) f.op("f32x4.add");
  });
}
