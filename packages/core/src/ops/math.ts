/** @file Roots, exponentials, logarithms, powers and circular functions of elements. f32 only. */
import * as ex from "../expr/expr.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Sample } from "./contract.js";
import { defineElementwise, type ElementwiseOp } from "./elementwise.js";
import { f32Values, normal, uniform } from "./samples.js";

const attrs = undefined;
const anywhere: readonly Sample<undefined>[] = [
  { name: "odd width", inputs: [normal([3, 7])], attrs },
  { name: "wide range", inputs: [normal([41], 0, 5)], attrs, checkVjp: false },
  { name: "empty", inputs: [normal([0])], attrs },
];
const positive: readonly Sample<undefined>[] = [
  { name: "odd width", inputs: [uniform([3, 7], 0.1, 4)], attrs },
  { name: "small and large", inputs: [f32Values([1e-30, 1e-6, 1, 1e6, 1e30])], attrs, checkVjp: false },
];

function unary(
  name: string,
  expr: (x: ex.Expr) => ex.Expr,
  samples: readonly Sample<undefined>[],
): ElementwiseOp<undefined> {
  return defineElementwise({ name, operands: ["f32"], expr: ([x]) => expr(x!), samples });
}

export const sqrtOp = unary("sqrt", ex.sqrt, positive);
export const expOp = unary("exp", ex.exp, anywhere);
export const logOp = unary("log", ex.log, positive);
export const tanhOp = unary("tanh", ex.tanh, anywhere);
export const erfOp = unary("erf", ex.erf, anywhere);
export const sinOp = unary("sin", ex.sin, anywhere);
export const cosOp = unary("cos", ex.cos, anywhere);
export const floorOp = unary("floor", ex.floor, anywhere);

export const powOp = defineElementwise<{ readonly exponent: number }>({
  name: "pow",
  operands: ["f32"],
  attrsKey: ({ exponent }) => `^${exponent}`,
  expr: ([x], { exponent }) => powExpr(x!, exponent),
  samples: [0, 1, 2, 3, 5, -1, -2]
    .map((exponent) => ({
      name: `exponent ${exponent}`,
      inputs: [f32Values([-2.5, -1.25, 0.5, 0.75, 1.5, 3, 2])],
      attrs: { exponent },
    }))
    .concat(
      [0.5, -0.5, 1.7].map((exponent) => ({
        name: `exponent ${exponent}`,
        inputs: [f32Values([0.25, 0.5, 0.75, 1.5, 3, 2, 9])],
        attrs: { exponent },
      })),
    ),
});

/** Integers by squaring, halves by a root, the rest through exp and log (so a negative base gives NaN). */
function powExpr(x: ex.Expr, exponent: number): ex.Expr {
  if (exponent < 0) return ex.div(1, powExpr(x, -exponent));
  if (exponent === 0.5) return ex.sqrt(x);
  if (!Number.isInteger(exponent) || exponent > 64) return ex.exp(ex.mul(ex.log(x), exponent));
  let result: ex.Expr | undefined;
  let square = x;
  for (let rest = exponent; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = result === undefined ? square : ex.mul(result, square);
    if (rest > 1) square = ex.mul(square, square);
  }
  return result ?? ex.constant(1);
}

/** Square root; NaN below 0. @shape any -> same @source numpy.sqrt */
export function sqrt(x: Tensor): Tensor {
  return sqrtOp.apply([x], undefined);
}
/** e^x. @shape any -> same @source numpy.exp */
export function exp(x: Tensor): Tensor {
  return expOp.apply([x], undefined);
}
/** Natural logarithm. @shape any -> same @source numpy.log */
export function log(x: Tensor): Tensor {
  return logOp.apply([x], undefined);
}
/** Hyperbolic tangent. @shape any -> same @source numpy.tanh */
export function tanh(x: Tensor): Tensor {
  return tanhOp.apply([x], undefined);
}
/** Error function. @shape any -> same @source torch.erf */
export function erf(x: Tensor): Tensor {
  return erfOp.apply([x], undefined);
}
/** Sine of radians. @shape any -> same @source numpy.sin */
export function sin(x: Tensor): Tensor {
  return sinOp.apply([x], undefined);
}
/** Cosine of radians. @shape any -> same @source numpy.cos */
export function cos(x: Tensor): Tensor {
  return cosOp.apply([x], undefined);
}
/** Largest integer not above x, as f32; its gradient is 0. @shape any -> same @source numpy.floor */
export function floor(x: Tensor): Tensor {
  return floorOp.apply([x], undefined);
}
/**
 * x to the power of a number.
 * @shape any -> same
 * @numerics Integer exponents up to 64 by multiplication, 0.5 by sqrt, others exp(exponent * log(x)): NaN for negative x.
 * @source torch.pow with a number as exponent
 */
export function pow(x: Tensor, exponent: number): Tensor {
  return powOp.apply([x], { exponent });
}
