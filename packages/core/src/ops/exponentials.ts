/** @file Exponentials, logarithms and hyperbolic functions beyond exp, log and tanh. f32; u8 and bool are taken as f32. */
import * as ex from "../expr/expr.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Sample, SampleInput } from "./contract.js";
import { defineElementwise, type ElementwiseOp } from "./elementwise.js";
import { f32Values, normal, uniform } from "./samples.js";

const attrs = undefined;
const inf = Number.POSITIVE_INFINITY;

function unary(
  name: string,
  expr: (x: ex.Expr) => ex.Expr,
  { odd, edges }: { readonly odd: SampleInput; readonly edges: readonly number[] },
): ElementwiseOp<undefined> {
  const samples: readonly Sample<undefined>[] = [
    { name: "odd width", inputs: [odd], attrs },
    { name: "edges", inputs: [f32Values(edges)], attrs, checkVjp: false },
    { name: "empty", inputs: [normal([0])], attrs },
  ];
  return defineElementwise({ name, operands: ["f32"], expr: ([x]) => expr(x!), samples });
}

const anywhere = normal([3, 7]);
const edges = [0, -0, 1e-20, -1e-20, 1e-5, -1e-5, 20, -20, inf, -inf, Number.NaN];
const positive = { odd: uniform([3, 7], 0.1, 4), edges: [0, 1, 2, 1024, 1e-30, 1e30, 1e-40, inf, -1, Number.NaN] };

export const exp2Op = unary("exp2", ex.exp2, { odd: anywhere, edges: [...edges, 127.5, -126.5, -149, -150] });
export const expm1Op = unary("expm1", ex.expm1, { odd: anywhere, edges: [...edges, 88.7] });
export const log1pOp = unary("log1p", ex.log1p, { odd: uniform([3, 7], -0.9, 4), edges: [...edges, -1, -0.999, 1e30] });
export const log2Op = unary("log2", ex.log2, positive);
export const log10Op = unary("log10", ex.log10, positive);
export const sinhOp = unary("sinh", ex.sinh, { odd: anywhere, edges: [...edges, 88, 89.2, -89.2] });
export const coshOp = unary("cosh", ex.cosh, { odd: anywhere, edges: [...edges, 88, 89.2, -89.2] });
export const asinhOp = unary("asinh", ex.asinh, { odd: anywhere, edges: [...edges, 1e9, 1e30, -1e30] });
export const acoshOp = unary("acosh", ex.acosh, { odd: uniform([3, 7], 1.1, 9), edges: [1, 1.0001, 0.5, 1e30, inf] });
export const atanhOp = unary("atanh", ex.atanh, {
  odd: uniform([3, 7], -0.95, 0.95),
  edges: [0, -0, 1e-20, 1e-5, 1, -1, 1.5, 0.999, Number.NaN],
});

/** 2^x. @shape any -> same @source numpy.exp2 */
export function exp2(x: Tensor): Tensor {
  return exp2Op.apply([x], undefined);
}
/** e^x - 1, precise near 0. @shape any -> same @source numpy.expm1 */
export function expm1(x: Tensor): Tensor {
  return expm1Op.apply([x], undefined);
}
/** log(1 + x), precise near 0. @shape any -> same @source numpy.log1p */
export function log1p(x: Tensor): Tensor {
  return log1pOp.apply([x], undefined);
}
/** Logarithm to base 2, exact at powers of 2. @shape any -> same @source numpy.log2 */
export function log2(x: Tensor): Tensor {
  return log2Op.apply([x], undefined);
}
/** Logarithm to base 10. @shape any -> same @source numpy.log10 */
export function log10(x: Tensor): Tensor {
  return log10Op.apply([x], undefined);
}
/** Hyperbolic sine. @shape any -> same @source numpy.sinh */
export function sinh(x: Tensor): Tensor {
  return sinhOp.apply([x], undefined);
}
/** Hyperbolic cosine. @shape any -> same @source numpy.cosh */
export function cosh(x: Tensor): Tensor {
  return coshOp.apply([x], undefined);
}
/** Inverse hyperbolic sine. @shape any -> same @source numpy.arcsinh */
export function asinh(x: Tensor): Tensor {
  return asinhOp.apply([x], undefined);
}
/** Inverse hyperbolic cosine; NaN below 1. @shape any -> same @source numpy.arccosh */
export function acosh(x: Tensor): Tensor {
  return acoshOp.apply([x], undefined);
}
/** Inverse hyperbolic tangent; NaN outside -1..1. @shape any -> same @source numpy.arctanh */
export function atanh(x: Tensor): Tensor {
  return atanhOp.apply([x], undefined);
}
