/** @file Arithmetic of elements, with NumPy broadcasting; numbers may stand for scalars. */
import {
  abs as absExpr,
  add as addExpr,
  div as divExpr,
  max,
  min,
  mul as mulExpr,
  neg as negExpr,
  sub as subExpr,
} from "../expr/expr.js";
import type { Tensor } from "../tensor/tensor.js";
import { defineElementwise, type Operand } from "./elementwise.js";
import { f32Values, integers, normal, uniform } from "./samples.js";

const attrs = undefined;
const binarySamples = [
  { name: "same shape, odd width", inputs: [normal([3, 7]), normal([3, 7])], attrs },
  { name: "row broadcast", inputs: [normal([5, 9]), normal([9])], attrs },
  { name: "both stretched", inputs: [normal([4, 1, 3]), normal([5, 1])], attrs },
  { name: "scalar tensor", inputs: [normal([6]), normal([])], attrs },
  { name: "number", inputs: [normal([33]), 1.5], attrs },
  { name: "number first", inputs: [-0.75, normal([33])], attrs },
  { name: "larger than a tile", inputs: [normal([70, 131]), normal([131])], attrs, checkVjp: false },
  { name: "empty", inputs: [normal([0, 4]), normal([4])], attrs },
];
const integerSample = { name: "integers", inputs: [integers([11], -50, 50), integers([11], -50, 50)], attrs };
const positiveDivisor = [
  { name: "row broadcast", inputs: [normal([5, 9]), uniform([9], 0.5, 3)], attrs },
  { name: "same shape", inputs: [normal([37]), uniform([37], 0.5, 3)], attrs },
  { name: "number", inputs: [normal([37]), 3], attrs },
  { name: "number first", inputs: [2, uniform([37], 0.5, 3)], attrs },
];

export const addOp = defineElementwise({
  name: "add",
  operands: ["T", "T"],
  expr: ([x, y]) => addExpr(x!, y!),
  samples: [...binarySamples, integerSample],
});
export const subOp = defineElementwise({
  name: "sub",
  insteadOfBool: "logicalXor",
  operands: ["T", "T"],
  expr: ([x, y]) => subExpr(x!, y!),
  samples: [...binarySamples, integerSample],
});
export const mulOp = defineElementwise({
  name: "mul",
  operands: ["T", "T"],
  expr: ([x, y]) => mulExpr(x!, y!),
  samples: [...binarySamples, integerSample],
});
export const divOp = defineElementwise({
  name: "div",
  operands: ["f32", "f32"],
  expr: ([x, y]) => divExpr(x!, y!),
  samples: positiveDivisor,
});
export const maximumOp = defineElementwise({
  name: "maximum",
  operands: ["T", "T"],
  expr: ([x, y]) => max(x!, y!),
  samples: [...binarySamples, integerSample],
});
export const minimumOp = defineElementwise({
  name: "minimum",
  operands: ["T", "T"],
  expr: ([x, y]) => min(x!, y!),
  samples: [...binarySamples, integerSample],
});

const unarySamples = [
  { name: "odd width", inputs: [normal([3, 7])], attrs },
  { name: "scalar", inputs: [normal([])], attrs },
  { name: "larger than a tile", inputs: [normal([4099])], attrs, checkVjp: false },
  { name: "integers", inputs: [integers([9], -20, 20)], attrs },
];
export const negOp = defineElementwise({
  name: "neg",
  insteadOfBool: "logicalNot",
  operands: ["T"],
  expr: ([x]) => negExpr(x!),
  samples: unarySamples,
});
export const absOp = defineElementwise({
  name: "abs",
  operands: ["T"],
  expr: ([x]) => absExpr(x!),
  samples: [...unarySamples, { name: "signed zeros", inputs: [f32Values([0, -0, 1, -1])], attrs, checkVjp: false }],
});
export const squareOp = defineElementwise({
  name: "square",
  operands: ["T"],
  expr: ([x]) => mulExpr(x!, x!),
  samples: unarySamples,
});

/** x + y. @shape [a, b] + [b] -> [a, b] (broadcast) @source numpy.add */
export function add(x: Operand, y: Operand): Tensor {
  return addOp.apply([x, y], undefined);
}
/** x - y. @shape broadcast @source numpy.subtract */
export function sub(x: Operand, y: Operand): Tensor {
  return subOp.apply([x, y], undefined);
}
/** x * y. @shape broadcast @source numpy.multiply */
export function mul(x: Operand, y: Operand): Tensor {
  return mulOp.apply([x, y], undefined);
}
/** x / y, f32 only. @shape broadcast @source numpy.divide; integers must be cast first */
export function div(x: Operand, y: Operand): Tensor {
  return divOp.apply([x, y], undefined);
}
/** The larger element; NaN if either is. A tie gives half the cotangent to each. @shape broadcast @source torch.maximum */
export function maximum(x: Operand, y: Operand): Tensor {
  return maximumOp.apply([x, y], undefined);
}
/** The smaller element; NaN if either is. A tie gives half the cotangent to each. @shape broadcast @source torch.minimum */
export function minimum(x: Operand, y: Operand): Tensor {
  return minimumOp.apply([x, y], undefined);
}
/** -x. @shape any -> same @source numpy.negative */
export function neg(x: Tensor): Tensor {
  return negOp.apply([x], undefined);
}
/** |x|. @shape any -> same @source numpy.abs; the gradient at 0 is 0 */
export function abs(x: Tensor): Tensor {
  return absOp.apply([x], undefined);
}
/** x * x. @shape any -> same @source numpy.square */
export function square(x: Tensor): Tensor {
  return squareOp.apply([x], undefined);
}
