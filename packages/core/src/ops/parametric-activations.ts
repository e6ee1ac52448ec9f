/** @file Activation functions with a number, or a learned tensor, in them. The number is a run-time scalar of the kernel. f32 only. */
import { ShapeError, ValueError } from "../errors.js";
import * as ex from "../expr/expr.js";
import { formatShape, normalizeAxis } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { sigmoid, silu } from "./activations.js";
import { mul } from "./arithmetic.js";

import { logOnePlus } from "./binary-cross-entropy.js";
import { split } from "./concat.js";
import { defineElementwise, type Operand } from "./elementwise.js";
import { reshape } from "./reshape.js";
import { f32Values, normal, uniform } from "./samples.js";

const attrs = undefined;
const farFromZero = f32Values([-90, -30, -15, 15, 30, 90]);

export const leakyReluOp = defineElementwise({
  name: "leakyRelu",
  operands: ["f32", "f32"],
  expr: ([x, slope]) => ex.select(ex.le(x!, 0), ex.mul(slope!, x!), x!),
  samples: [
    { name: "a number as slope", inputs: [normal([5, 7]), 0.01], attrs },
    { name: "a slope a column", inputs: [normal([5, 7]), uniform([7], 0.1, 0.4)], attrs },
    { name: "larger than a tile", inputs: [normal([4100]), -0.5], attrs, checkVjp: false },
  ],
});

/** alpha (e^x - 1) up to 0, x above; exp only of numbers <= 0. */
function eluExpr(x: ex.Expr, alpha: ex.Expr, scaled: ex.Expr): ex.Expr {
  const isLow = ex.le(x, 0);
  return ex.select(isLow, ex.mul(alpha, ex.sub(ex.exp(ex.select(isLow, scaled, 0)), 1)), x);
}

export const eluOp = defineElementwise({
  name: "elu",
  operands: ["f32", "f32"],
  expr: ([x, alpha]) => eluExpr(x!, alpha!, x!),
  samples: [
    { name: "odd width", inputs: [normal([5, 7]), 1], attrs },
    { name: "another alpha", inputs: [normal([41], 0, 2), 0.3], attrs },
    { name: "far from zero", inputs: [farFromZero, 1], attrs, checkVjp: false },
  ],
});
export const celuOp = defineElementwise({
  name: "celu",
  operands: ["f32", "f32"],
  expr: ([x, alpha]) => eluExpr(x!, alpha!, ex.div(x!, alpha!)),
  samples: [
    { name: "odd width", inputs: [normal([5, 7]), 1], attrs },
    { name: "another alpha", inputs: [normal([41], 0, 2), 0.5], attrs },
    { name: "far from zero", inputs: [farFromZero, 2], attrs, checkVjp: false },
  ],
});

/** (max(z, 0) + log(1 + e^-|z|)) / beta with z = beta x. At 0 the branch z >= 0 is taken, so that the derivative is 1/2. */
function softplusExpr(x: ex.Expr, beta: ex.Expr): ex.Expr {
  const z = ex.mul(beta, x);
  const isNegative = ex.lt(z, 0);
  const e = ex.exp(ex.select(isNegative, z, ex.neg(z)));
  return ex.div(ex.add(ex.select(isNegative, 0, z), logOnePlus(e)), beta);
}

export const softplusOp = defineElementwise({
  name: "softplus",
  operands: ["f32", "f32"],
  expr: ([x, beta]) => softplusExpr(x!, beta!),
  samples: [
    { name: "odd width", inputs: [normal([5, 7]), 1], attrs },
    { name: "another beta", inputs: [normal([41], 0, 2), 3], attrs },
    { name: "far from zero", inputs: [farFromZero, 1], attrs, checkVjp: false },
  ],
});

/** Written so that the derivative on the borders is 0, and NaN stays NaN. */
export const hardTanhOp = defineElementwise({
  name: "hardTanh",
  operands: ["f32", "f32", "f32"],
  expr: ([x, low, high]) => ex.select(ex.le(x!, low!), low!, ex.select(ex.le(high!, x!), high!, x!)),
  samples: [
    { name: "odd width", inputs: [normal([5, 7], 0, 2), -1, 1], attrs },
    { name: "from 0 to 6", inputs: [normal([41], 2, 5), 0, 6], attrs },
  ],
});

/**
 * x above 0, slope * x up to it.
 * @param slope a number, or a tensor that x can be multiplied with
 * @shape any -> same
 * @source torch.nn.functional.leaky_relu, its default slope 0.01 too
 */
export function leakyRelu(x: Tensor, slope: Operand = 0.01): Tensor {
  return leakyReluOp.apply([x, slope], undefined);
}

/**
 * leakyRelu with a learned slope, one for all or one for each channel (dim 1).
 * @shape x [B, C, ...], weight [1] or [C] -> as x
 * @throws {ShapeError} E_SHAPE when weight fits neither.
 * @source He et al. 2015, Delving Deep into Rectifiers; torch.nn.functional.prelu
 */
export function prelu(x: Tensor, weight: Tensor): Tensor {
  const numChannels = x.numDims >= 2 ? x.shape[1]! : 1;
  if (weight.numDims !== 1 || (weight.size !== 1 && weight.size !== numChannels)) {
    throw new ShapeError(
      `prelu: weight has shape ${formatShape(weight.shape)}, but x is ${formatShape(x.shape)}; weight must have shape [1] or [${numChannels}], the channels of x (dim 1).`,
      { x: x.shape, weight: weight.shape },
    );
  }
  const isShared = weight.size === 1;
  return leakyRelu(x, isShared ? weight : reshape(weight, [numChannels, ...x.shape.slice(2).map(() => 1)]));
}

/** x above 0, alpha (e^x - 1) up to it; alpha is 1 unless given. @shape any -> same @source Clevert et al. 2016; torch.nn.functional.elu */
export function elu(x: Tensor, { alpha = 1 }: { readonly alpha?: number } = {}): Tensor {
  return eluOp.apply([x, alpha], undefined);
}

/**
 * x above 0, alpha (e^(x / alpha) - 1) up to it: its slope is continuous for every alpha.
 * @shape any -> same
 * @throws {ValueError} E_VALUE when alpha is 0 or not finite.
 * @source Barron 2017; torch.nn.functional.celu
 */
export function celu(x: Tensor, { alpha = 1 }: { readonly alpha?: number } = {}): Tensor {
  if (!Number.isFinite(alpha) || alpha === 0) {
    throw new ValueError(`celu: alpha is ${alpha}; it must be finite and not 0.`, { alpha });
  }
  return celuOp.apply([x, alpha], undefined);
}

/**
 * log(1 + e^(beta x)) / beta, without overflow and accurate far below 0.
 * @shape any -> same
 * @throws {ValueError} E_VALUE unless beta is finite and above 0.
 * @source torch.nn.functional.softplus. Deviation: no threshold, which would change no f32.
 */
export function softplus(x: Tensor, { beta = 1 }: { readonly beta?: number } = {}): Tensor {
  if (!(Number.isFinite(beta) && beta > 0)) {
    throw new ValueError(`softplus: beta is ${beta}; it must be a finite number above 0.`, { beta });
  }
  return softplusOp.apply([x, beta], undefined);
}

/**
 * x between min and max, which are -1 and 1 unless given; the gradient is 0 on and outside of them (that of `clip` is 1 on them).
 * @shape any -> same
 * @throws {ValueError} E_VALUE unless min < max.
 * @source torch.nn.functional.hardtanh
 */
export function hardTanh(
  x: Tensor,
  { min = -1, max = 1 }: { readonly min?: number; readonly max?: number } = {},
): Tensor {
  if (!(min < max)) {
    throw new ValueError(`hardTanh: min is ${min} and max ${max}; min must be smaller than max.`, { min, max });
  }
  return hardTanhOp.apply([x, min, max], undefined);
}

/** min(max(x, 0), 6). @shape any -> same @source torch.nn.functional.relu6 */
export function relu6(x: Tensor): Tensor {
  return hardTanh(x, { min: 0, max: 6 });
}

/** The two halves of x along an axis. @throws {ShapeError} E_SHAPE when its length is odd. */
function halves(where: string, x: Tensor, axis: number): readonly [Tensor, Tensor] {
  const place = normalizeAxis(where, axis, x.numDims);
  const length = x.shape[place]!;
  if (length % 2 !== 0) {
    throw new ShapeError(
      `${where}: x is ${formatShape(x.shape)}, whose axis ${axis} has ${length} elements; the number must be even.`,
      { x: x.shape, axis },
    );
  }
  return split(x, length / 2, place) as unknown as readonly [Tensor, Tensor];
}

/**
 * a * sigmoid(b) of the halves a, b of x along an axis.
 * @shape [..., 2 n, ...] -> [..., n, ...]
 * @throws {ShapeError} E_SHAPE when the axis is odd or not there.
 * @source Dauphin et al. 2017; torch.nn.functional.glu
 */
export function glu(x: Tensor, axis = -1): Tensor {
  const [a, b] = halves("glu", x, axis);
  return mul(a, sigmoid(b));
}

/**
 * silu(a) * b of the halves a, b of x along an axis: the gate comes first.
 * @shape [..., 2 n, ...] -> [..., n, ...]
 * @throws {ShapeError} E_SHAPE when the axis is odd or not there.
 * @source Shazeer 2020, GLU Variants Improve Transformer, equation 6, with W and V in one matrix
 */
export function swiGlu(x: Tensor, axis = -1): Tensor {
  const [a, b] = halves("swiGlu", x, axis);
  return mul(silu(a), b);
}
