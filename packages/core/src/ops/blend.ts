/** @file Reciprocals, and sums of products in one pass. */
import * as ex from "../expr/expr.js";
import type { Tensor } from "../tensor/tensor.js";
import { defineElementwise, type Operand } from "./elementwise.js";
import { f32Values, normal, uniform } from "./samples.js";

const attrs = undefined;
const away = [
  { name: "odd width", inputs: [uniform([3, 7], 0.2, 4)], attrs },
  { name: "edges", inputs: [f32Values([0, Number.POSITIVE_INFINITY, 1e-30])], attrs, checkVjp: false },
];

export const reciprocalOp = defineElementwise({
  name: "reciprocal",
  operands: ["f32"],
  expr: ([x]) => ex.div(1, x!),
  samples: away,
});
export const rsqrtOp = defineElementwise({
  name: "rsqrt",
  operands: ["f32"],
  expr: ([x]) => ex.div(1, ex.sqrt(x!)),
  samples: away,
});
export const lerpOp = defineElementwise({
  name: "lerp",
  operands: ["f32", "f32", "f32"],
  expr: ([x, y, weight]) => ex.add(x!, ex.mul(weight!, ex.sub(y!, x!))),
  samples: [
    { name: "number", inputs: [normal([3, 7]), normal([7]), 0.25], attrs },
    { name: "weights", inputs: [normal([3, 7]), normal([3, 7]), uniform([7], 0, 1)], attrs },
  ],
});
const triples = [
  { name: "all broadcast", inputs: [normal([3, 7]), normal([7]), uniform([3, 1], 0.5, 2), -0.75], attrs },
  { name: "same shape", inputs: [normal([5]), normal([5]), uniform([5], 0.5, 2), 1], attrs },
];
export const addcmulOp = defineElementwise({
  name: "addcmul",
  operands: ["f32", "f32", "f32", "f32"],
  expr: ([x, a, b, value]) => ex.add(x!, ex.mul(value!, ex.mul(a!, b!))),
  samples: triples,
});
export const addcdivOp = defineElementwise({
  name: "addcdiv",
  operands: ["f32", "f32", "f32", "f32"],
  expr: ([x, a, b, value]) => ex.add(x!, ex.mul(value!, ex.div(a!, b!))),
  samples: triples,
});

export interface AddcOptions {
  /** Times the product or quotient. Default 1. */
  readonly value?: number;
}

/** 1 / x. @shape any -> same @source numpy.reciprocal */
export function reciprocal(x: Tensor): Tensor {
  return reciprocalOp.apply([x], undefined);
}
/** 1 / sqrt(x). @shape any -> same @source torch.rsqrt */
export function rsqrt(x: Tensor): Tensor {
  return rsqrtOp.apply([x], undefined);
}
/** x + weight * (y - x). @shape broadcast @source torch.lerp */
export function lerp(x: Tensor, y: Operand, weight: Operand): Tensor {
  return lerpOp.apply([x, y, weight], undefined);
}
/** x + value * a * b. @shape broadcast @source torch.addcmul */
export function addcmul(x: Tensor, a: Tensor, b: Tensor, { value = 1 }: AddcOptions = {}): Tensor {
  return addcmulOp.apply([x, a, b, value], undefined);
}
/** x + value * a / b. @shape broadcast @source torch.addcdiv */
export function addcdiv(x: Tensor, a: Tensor, b: Tensor, { value = 1 }: AddcOptions = {}): Tensor {
  return addcdivOp.apply([x, a, b, value], undefined);
}
