/** @file The terms of binary cross-entropy with logits, as one expression without overflow. */
import * as ex from "../expr/expr.js";
import type { Tensor } from "../tensor/tensor.js";
import { defineElementwise } from "./elementwise.js";
import { f32Values, normal, uniform } from "./samples.js";

/**
 * max(x, 0) - x t + log(1 + e^-|x|), the last term accurate however small e^-|x| is. At 0 both selects take the branch x >= 0, so that the derivative is
 * sigmoid(x) - t there too.
 */
function termExpr(x: ex.Expr, target: ex.Expr): ex.Expr {
  const isNegative = ex.lt(x, 0);
  const e = ex.exp(ex.select(isNegative, x, ex.neg(x)));
  return ex.add(ex.sub(ex.select(isNegative, 0, x), ex.mul(x, target)), logOnePlus(e));
}

/**
 * log(1 + e) for e in [0, 1]. The rounded sum u = 1 + e has lost a part of e: to first order its logarithm is worth (e - (u - 1)) / u.
 * Where u is 1 that part is all of e.
 */
export function logOnePlus(e: ex.Expr): ex.Expr {
  const u = ex.add(1, e);
  return ex.add(ex.log(u), ex.div(ex.sub(e, ex.sub(u, 1)), u));
}

export const binaryCrossEntropyOp = defineElementwise({
  name: "binaryCrossEntropy",
  operands: ["f32", "f32"],
  expr: ([x, target]) => termExpr(x!, target!),
  samples: [
    { name: "odd width", inputs: [normal([5, 7], 0, 2), uniform([5, 7], 0, 1)], attrs: undefined },
    { name: "far from zero", inputs: [f32Values([-90, -20, 20, 90]), f32Values([0, 1, 0, 1])], attrs: undefined },
  ],
});

/** log(1 + e^x) - x target, element by element. @shape x, target of one shape -> same @source torch.nn.BCEWithLogitsLoss(reduction="none") */
export function binaryCrossEntropyTerms(x: Tensor, target: Tensor): Tensor {
  return binaryCrossEntropyOp.apply([x, target], undefined);
}
