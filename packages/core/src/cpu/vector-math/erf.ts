/**
 * @file erf on four lanes, inline: x + x p(x^2) near 0, 1 - e^-q(|x|) elsewhere.
 *
 * @source N. Juffa, "my_erff" (single-precision error function, minimax by Remez), with multiply and add rounded apart.
 */
import type { FunctionBuilder, Local } from "../wasm/assembler.js";
import { emitExp } from "./exp.js";
import { emitPolynomial } from "./polynomial.js";

const near = [-5.96761703e-4, 4.99119423e-3, -2.67681349e-2, 1.12819925e-1, -3.76125336e-1, 1.28379166e-1];
/** q(t) / t - 1 with its sign turned: the argument of exp is t * far(t) - t. */
const far = [
  -1.7285347e-5, 3.83197126e-4, -3.88396438e-3, 2.42546219e-2, -1.06777877e-1, -6.34846687e-1, -1.28717512e-1,
];
const border = 0.927734375;
/** erf of it is 1 in f32. */
const saturation = 4;
const signBit = -2147483648;

/** v128 x -> v128 erf x. Maximum error 1.1 ulp; +-1 at +-inf, -0 stays -0, NaN stays NaN. */
export function emitErf(f: FunctionBuilder): void {
  const [x, t, square, inner] = f.locals("v128", 4) as [Local, Local, Local, Local];
  f.tee(x).op("f32x4.abs").f32x4(saturation).op("f32x4.pmin").tee(t).get(t).op("f32x4.mul").set(square);
  emitPolynomial(f, square, near);
  f.get(t).op("f32x4.mul").get(t).op("f32x4.add").set(inner);
  f.f32x4(1);
  emitPolynomial(f, t, far);
  f.get(t).op("f32x4.mul").get(t).op("f32x4.sub");
  emitExp(f);
  f.op("f32x4.sub");
  f.get(inner).get(t).f32x4(border).op("f32x4.gt", "v128.bitselect");
  f.get(x).i32x4(signBit).op("v128.and", "v128.or");
}
