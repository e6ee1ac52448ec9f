/** @file Activation functions, each one scalar expression. f32 only. */
import * as ex from "../expr/expr.js";
import type { Tensor } from "../tensor/tensor.js";
import { logOnePlus } from "./binary-cross-entropy.js";
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
const SELU_ALPHA = 1.6732632423543772;
const SELU_SCALE = 1.0507009873554805;

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

/**
 * tanh(softplus(x)) as a fraction of e = e^-|x|, so that neither is computed: with u = e^x it is (u^2 + 2u) / (u^2 + 2u + 2).
 */
function tanhSoftplusExpr(x: ex.Expr): ex.Expr {
  const isNegative = ex.lt(x, 0);
  const e = ex.exp(ex.select(isNegative, x, ex.neg(x)));
  const square = ex.mul(e, e);
  const twice = ex.mul(2, e);
  const [low, high] = [ex.add(square, twice), ex.add(1, twice)];
  return ex.select(isNegative, ex.div(low, ex.add(low, 2)), ex.div(high, ex.add(high, ex.mul(2, square))));
}

/** min(x, 0) - log(1 + e^-|x|) */
function logSigmoidExpr(x: ex.Expr): ex.Expr {
  const isNegative = ex.lt(x, 0);
  const e = ex.exp(ex.select(isNegative, x, ex.neg(x)));
  return ex.sub(ex.select(isNegative, x, 0), logOnePlus(e));
}

/** scale * (x up to 0: alpha (e^x - 1)), with the two numbers that keep mean 0 and variance 1. */
function seluExpr(x: ex.Expr): ex.Expr {
  const isLow = ex.le(x, 0);
  const low = ex.mul(SELU_ALPHA, ex.sub(ex.exp(ex.select(isLow, x, 0)), 1));
  return ex.mul(SELU_SCALE, ex.select(isLow, low, x));
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
export const mishOp = defineElementwise({
  name: "mish",
  operands: ["f32"],
  expr: ([x]) => ex.mul(x!, tanhSoftplusExpr(x!)),
  samples,
});
export const seluOp = defineElementwise({ name: "selu", operands: ["f32"], expr: ([x]) => seluExpr(x!), samples });
export const logSigmoidOp = defineElementwise({
  name: "logSigmoid",
  operands: ["f32"],
  expr: ([x]) => logSigmoidExpr(x!),
  samples,
});
export const softsignOp = defineElementwise({
  name: "softsign",
  operands: ["f32"],
  expr: ([x]) => ex.div(x!, ex.add(1, ex.abs(x!))),
  samples,
});
export const hardSigmoidOp = defineElementwise({
  name: "hardSigmoid",
  operands: ["f32"],
  expr: ([x]) => ex.select(ex.le(x!, -3), 0, ex.select(ex.le(3, x!), 1, ex.div(ex.add(x!, 3), 6))),
  samples,
});
export const hardSwishOp = defineElementwise({
  name: "hardSwish",
  operands: ["f32"],
  expr: ([x]) => ex.select(ex.lt(x!, -3), 0, ex.select(ex.lt(3, x!), x!, ex.div(ex.mul(x!, ex.add(x!, 3)), 6))),
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
/** x * tanh(log(1 + e^x)). @shape any -> same @source Misra 2019; torch.nn.functional.mish */
export function mish(x: Tensor): Tensor {
  return mishOp.apply([x], undefined);
}
/** 1.0507 * (x above 0; 1.6733 (e^x - 1) up to it). @shape any -> same @source Klambauer et al. 2017; torch.selu */
export function selu(x: Tensor): Tensor {
  return seluOp.apply([x], undefined);
}
/** log(1 / (1 + e^-x)), without overflow. @shape any -> same @source torch.nn.functional.logsigmoid */
export function logSigmoid(x: Tensor): Tensor {
  return logSigmoidOp.apply([x], undefined);
}
/** x / (1 + |x|). @shape any -> same @source torch.nn.functional.softsign */
export function softsign(x: Tensor): Tensor {
  return softsignOp.apply([x], undefined);
}
/** min(max(x + 3, 0), 6) / 6. @shape any -> same @source torch.nn.functional.hardsigmoid */
export function hardSigmoid(x: Tensor): Tensor {
  return hardSigmoidOp.apply([x], undefined);
}
/** x * hardSigmoid(x). @shape any -> same @source Howard et al. 2019; torch.nn.functional.hardswish, its gradient on -3 and 3 too */
export function hardSwish(x: Tensor): Tensor {
  return hardSwishOp.apply([x], undefined);
}
