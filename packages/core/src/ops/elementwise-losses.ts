/** @file Terms of losses, element by element, each one expression: one pass over memory, and a derivative without overflow. */
import * as ex from "../expr/expr.js";
import type { Tensor } from "../tensor/tensor.js";
import { logOnePlus } from "./binary-cross-entropy.js";
import { defineElementwise, type Operand } from "./elementwise.js";
import { f32Values, normal, uniform } from "./samples.js";

const attrs = undefined;

/** log(1 + e^x) and log(1 + e^-x), without overflow; they share one exponential. */
function softplusPair(x: ex.Expr): { readonly ofX: ex.Expr; readonly ofMinusX: ex.Expr } {
  const isNegative = ex.lt(x, 0);
  const small = logOnePlus(ex.exp(ex.select(isNegative, x, ex.neg(x))));
  return {
    ofX: ex.add(ex.select(isNegative, 0, x), small),
    ofMinusX: ex.add(ex.select(isNegative, ex.neg(x), 0), small),
  };
}

export const huberTermsOp = defineElementwise({
  name: "huberTerms",
  operands: ["f32", "f32", "f32"],
  expr: ([x, target, delta]) => {
    const error = ex.sub(x!, target!);
    const d = ex.abs(error);
    const straight = ex.mul(delta!, ex.sub(d, ex.mul(0.5, delta!)));
    return ex.select(ex.le(d, delta!), ex.mul(0.5, ex.mul(error, error)), straight);
  },
  samples: [
    { name: "odd width, both branches", inputs: [normal([5, 7]), normal([5, 7]), 0.75], attrs },
    { name: "equal", inputs: [f32Values([1, -2, 3]), f32Values([1, -2, 3]), 1], attrs },
  ],
});

export const weightedBinaryCrossEntropyOp = defineElementwise({
  name: "weightedBinaryCrossEntropy",
  operands: ["f32", "f32", "f32"],
  // No x is subtracted from x: a small loss keeps its digits.
  expr: ([x, target, positive]) => {
    const { ofX, ofMinusX } = softplusPair(x!);
    return ex.add(ex.mul(ex.mul(positive!, target!), ofMinusX), ex.mul(ex.sub(1, target!), ofX));
  },
  samples: [
    {
      name: "odd width, weights of columns",
      inputs: [normal([5, 7], 0, 2), uniform([5, 7], 0, 1), uniform([7], 0.5, 4)],
      attrs,
    },
    { name: "far from zero", inputs: [f32Values([-90, -20, 20, 90]), f32Values([0, 1, 0, 1]), 3], attrs },
  ],
});

export const sigmoidFocalTermsOp = defineElementwise({
  name: "sigmoidFocalTerms",
  operands: ["f32", "f32", "f32"],
  // z = x for target 1 and -x for target 0; 1 - p = sigmoid(-z) = e^-softplus(z), never a power of 0.
  expr: ([x, target, gamma]) => {
    const { ofX, ofMinusX } = softplusPair(ex.mul(x!, ex.sub(ex.mul(2, target!), 1)));
    return ex.mul(ex.exp(ex.neg(ex.mul(gamma!, ofX))), ofMinusX);
  },
  samples: [
    { name: "odd width", inputs: [normal([3, 5], 0, 2), f32Values([1, 0, 0, 1, 1], [5]), 2], attrs },
    { name: "far from zero", inputs: [f32Values([-90, -20, 20, 90]), f32Values([0, 1, 0, 1]), 0.5], attrs },
  ],
});

/** 1 - e^-c for c >= 0: by its series below 0.1, where the subtraction would lose digits. */
function missOf(c: ex.Expr): ex.Expr {
  let series: ex.Expr = ex.constant(1);
  for (const n of [6, 5, 4, 3, 2]) series = ex.sub(1, ex.mul(ex.div(c, n), series));
  return ex.select(ex.lt(c, 0.1), ex.mul(c, series), ex.sub(1, ex.exp(ex.neg(c))));
}

export const focalTermsOp = defineElementwise({
  name: "focalTerms",
  operands: ["f32", "f32"],
  // (1 - p)^gamma c with p = e^-c. Where c is 0 so is everything; the power's derivative would be 0 * Infinity there.
  expr: ([c, gamma]) => {
    const power = ex.exp(ex.mul(gamma!, ex.log(missOf(c!))));
    return ex.select(ex.le(c!, 0), 0, ex.mul(power, c!));
  },
  samples: [
    { name: "odd width", inputs: [uniform([5, 7], 0.01, 3), 2], attrs },
    { name: "small and large", inputs: [f32Values([0.01, 0.099, 0.101, 40, 200]), 1.5], attrs },
    { name: "nothing lost, or nearly", inputs: [f32Values([0, 1e-30, 1e-6, 0]), 2], attrs, checkVjp: false },
  ],
});

export const klTermsOp = defineElementwise({
  name: "klTerms",
  operands: ["f32", "f32"],
  expr: ([x, target]) => ex.select(ex.eq(target!, 0), 0, ex.mul(target!, ex.sub(ex.log(target!), x!))),
  samples: [
    { name: "odd width", inputs: [normal([5, 7], -2), uniform([5, 7], 0.1, 1)], attrs },
    { name: "target 0", inputs: [f32Values([-1, -Infinity]), f32Values([0, 0])], attrs, checkVjp: false },
  ],
});

export const klLogTermsOp = defineElementwise({
  name: "klLogTerms",
  operands: ["f32", "f32"],
  expr: ([x, logTarget]) => {
    const target = ex.exp(logTarget!);
    return ex.select(ex.eq(target, 0), 0, ex.mul(target, ex.sub(logTarget!, x!)));
  },
  samples: [
    { name: "odd width", inputs: [normal([5, 7], -2), normal([5, 7], -2)], attrs },
    {
      name: "target 0",
      inputs: [f32Values([-1, -Infinity]), f32Values([-Infinity, -Infinity])],
      attrs,
      checkVjp: false,
    },
  ],
});

/** d = |x - target|: d^2 / 2 up to delta, delta * (d - delta / 2) beyond. */
export function huberTerms(x: Tensor, target: Tensor, delta: number): Tensor {
  return huberTermsOp.apply([x, target, delta], undefined);
}
/** positive * target * log(1 + e^-x) + (1 - target) * log(1 + e^x); `positive` broadcasts. */
export function weightedBinaryCrossEntropyTerms(x: Tensor, target: Tensor, positive: Operand): Tensor {
  return weightedBinaryCrossEntropyOp.apply([x, target, positive], undefined);
}
/** (1 - p)^gamma * -log(p), p the probability that sigmoid(x) gives to a target of 0 or 1. */
export function sigmoidFocalTerms(x: Tensor, target: Tensor, gamma: number): Tensor {
  return sigmoidFocalTermsOp.apply([x, target, gamma], undefined);
}
/** (1 - e^-c)^gamma * c for cross-entropies c >= 0. */
export function focalTerms(c: Tensor, gamma: number): Tensor {
  return focalTermsOp.apply([c, gamma], undefined);
}
/** target * (log(target) - x), 0 where target is 0. */
export function klTerms(x: Tensor, target: Tensor): Tensor {
  return klTermsOp.apply([x, target], undefined);
}
/** e^logTarget * (logTarget - x), 0 where the exponential is 0. */
export function klLogTerms(x: Tensor, logTarget: Tensor): Tensor {
  return klLogTermsOp.apply([x, logTarget], undefined);
}
