/**
 * @file tanh on four lanes, inline: m / (m + 2) with m = e^(2 |x|) - 1, which keeps full precision near 0.
 *
 * @source none: ours; e^r - 1 as in exp.ts.
 */
import type { FunctionBuilder, Local } from "../wasm/assembler.js";
import { emitExpParts, emitPowerOfTwo } from "./exp.js";

/** tanh of it is 1 in f32, and e^(2 * 20) does not overflow. */
const saturation = 20;
const signBit = -2147483648;

/** v128 x -> v128 tanh x. Maximum error 2.4 ulp; +-1 at +-inf, -0 stays -0, NaN stays NaN. */
export function emitTanh(f: FunctionBuilder): void {
  const [x, power, m] = f.locals("v128", 3) as [Local, Local, Local];
  f.tee(x)
    .op("f32x4.abs")
    .f32x4(saturation / 2)
    .op("f32x4.pmin")
    .set(m);
  f.get(m).get(m).op("f32x4.add");
  const { fraction, exponent } = emitExpParts(f);
  emitPowerOfTwo(f, () => f.get(exponent));
  f.set(power);
  // m = fraction * 2^n + (2^n - 1)
  f.get(fraction).get(power).op("f32x4.mul").get(power).f32x4(1).op("f32x4.sub", "f32x4.add").tee(m);
  f.get(m).f32x4(2).op("f32x4.add", "f32x4.div");
  f.get(x).i32x4(signBit).op("v128.and", "v128.or");
}
