/**
 * @file sigmoid on four lanes, inline: 1 / (1 + e^-x).
 *
 * @source none: ours; e^r - 1 as in exp.ts.
 */
import type { FunctionBuilder, Local } from "../wasm/assembler.js";
import { emitExpParts, emitPowerOfTwo } from "./exp.js";

/** Beyond it sigmoid is 1 in f32, or below the normal numbers. */
const saturation = 87;

/** v128 x -> v128 sigmoid x. Maximum error 2 ulp down to -87, where it stays; NaN stays NaN. */
export function emitSigmoid(f: FunctionBuilder): void {
  const power: Local = f.local("v128");
  f.op("f32x4.neg").f32x4(saturation).op("f32x4.pmin").f32x4(-saturation).op("f32x4.pmax");
  const { fraction, exponent } = emitExpParts(f);
  emitPowerOfTwo(f, () => f.get(exponent));
  f.set(power);
  f.f32x4(1).get(fraction).get(power).op("f32x4.mul").get(power).op("f32x4.add").f32x4(1).op("f32x4.add", "f32x4.div");
}
