/** @file Activation functions, each one scalar expression. f32 only. */
import * as ex from "../expr/expr.js";
import type { Tensor } from "../tensor/tensor.js";
import { defineElementwise } from "./elementwise.js";
import { f32Values, normal } from "./samples.js";

const attrs = undefined;
const samples = [
  { name: "odd width", inputs: [normal([5, 7])], attrs },
  { name: "larger than a tile", inputs: [normal([4100], 0, 3)], attrs, checkVjp: false },
  { name: "far from zero", inputs: [f32Values([-90, -30, -15, 15, 30, 90])], attrs, checkVjp: false },
];
// biome-ignore lint/suspicious/noApproximativeNumericConstant: a literal, because packages do not use the host's Math
const INV_SQRT_2 = 0.7071067811865476;
const SQRT_2_OVER_PI = 0.7978845608028654;

/** Overflow-free: exp only of numbers <= 0. At 0 the branch x >= 0 is taken, so that the derivative is the right one. */
function sigmoidExpr(x: ex.Expr): ex.Expr {
  const isNegative = ex.lt(x, 0);
  const e = ex.exp(ex.select(isNegative, x, ex.neg(x)));
  const denominator = ex.add(1, e);
  return ex.select(isNegative, ex.div(e, denominator), ex.div(1, denominator));
}

function geluExpr(x: ex.Expr, approximate: "none" | "tanh"): ex.Expr {
  if (approximate === "none") return ex.mul(ex.mul(0.5, x), ex.add(1, ex.erf(ex.mul(x, INV_SQRT_2))));
  const cubic = ex.mul(ex.mul(ex.mul(x, x), x), 0.044715);
  const inner = ex.mul(SQRT_2_OVER_PI, ex.add(x, cubic));
  return ex.mul(ex.mul(0.5, x), ex.add(1, ex.tanh(inner)));
}

export const sigmoidOp = defineElementwise({
  name: "sigmoid",
  operands: ["f32"],
  expr: ([x]) => sigmoidExpr(x!),
  samples,
});
export const siluOp = defineElementwise({
  name: "silu",
  operands: ["f32"],
  expr: ([x]) => ex.mul(x!, sigmoidExpr(x!)),
  samples,
});
export const reluOp = defineElementwise({
  name: "relu",
  operands: ["f32"],
  expr: ([x]) => ex.select(ex.le(x!, 0), 0, x!),
  samples,
});
export const geluOp = defineElementwise<{ readonly approximate: "none" | "tanh" }>({
  name: "gelu",
  operands: ["f32"],
  attrsKey: ({ approximate }) => approximate,
  expr: ([x], { approximate }) => geluExpr(x!, approximate),
  samples: (["none", "tanh"] as const).flatMap((approximate) =>
    samples.map((sample) => ({ ...sample, name: `${approximate}, ${sample.name}`, attrs: { approximate } })),
  ),
});

/** 1 / (1 + e^-x), without overflow. @shape any -> same @source torch.sigmoid */
export function sigmoid(x: Tensor): Tensor {
  return sigmoidOp.apply([x], undefined);
}
/** x * sigmoid(x). @shape any -> same @source torch.nn.functional.silu */
export function silu(x: Tensor): Tensor {
  return siluOp.apply([x], undefined);
}
/** max(x, 0); the gradient at 0 is 0; NaN stays NaN. @shape any -> same @source torch.relu */
export function relu(x: Tensor): Tensor {
  return reluOp.apply([x], undefined);
}
/**
 * x * Phi(x) of the normal distribution, exactly or by the tanh approximation of GPT-2.
 * @shape any -> same
 * @source torch.nn.functional.gelu, with the same two forms and default
 */
export function gelu(x: Tensor, options: { readonly approximate?: "none" | "tanh" } = {}): Tensor {
  return geluOp.apply([x], { approximate: options.approximate ?? "none" });
}
