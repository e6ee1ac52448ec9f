/** @file Circular functions beyond sin and cos, in radians. f32; u8 and bool are taken as f32. */
import * as ex from "../expr/expr.js";
import type { Tensor } from "../tensor/tensor.js";
import { defineElementwise, type Operand } from "./elementwise.js";
import { f32Values, normal, uniform } from "./samples.js";

const attrs = undefined;
const inf = Number.POSITIVE_INFINITY;
const nan = Number.NaN;
const unit = [
  { name: "odd width", inputs: [uniform([3, 7], -0.95, 0.95)], attrs },
  {
    name: "edges",
    inputs: [f32Values([0, -0, 0.5, -0.5, 1, -1, 1.1, 1e-20, 0.99999994, nan])],
    attrs,
    checkVjp: false,
  },
];
const far = f32Values([0, -0, 1e-20, 0.41421357, 1, -1, 3, 1e10, 1e30, inf, -inf, nan]);

export const tanOp = defineElementwise({
  name: "tan",
  operands: ["f32"],
  expr: ([x]) => ex.tan(x!),
  samples: [
    { name: "odd width", inputs: [uniform([3, 7], -1.4, 1.4)], attrs },
    { name: "large", inputs: [f32Values([100, -1000, 1e6, 3, -0])], attrs, checkVjp: false },
  ],
});
export const asinOp = defineElementwise({ name: "asin", operands: ["f32"], expr: ([x]) => ex.asin(x!), samples: unit });
export const acosOp = defineElementwise({ name: "acos", operands: ["f32"], expr: ([x]) => ex.acos(x!), samples: unit });
export const atanOp = defineElementwise({
  name: "atan",
  operands: ["f32"],
  expr: ([x]) => ex.atan(x!),
  samples: [
    { name: "odd width", inputs: [normal([3, 7], 0, 2)], attrs },
    { name: "edges", inputs: [far], attrs, checkVjp: false },
  ],
});

const corners = [0, -0, 1, -1, inf, -inf, nan];
const everyPair = corners.flatMap((y) => corners.map((x) => [y, x] as const));
const edgePairs = {
  name: "zeros and infinities",
  inputs: [f32Values(everyPair.map(([y]) => y)), f32Values(everyPair.map(([, x]) => x))],
  attrs,
  checkVjp: false,
};

export const atan2Op = defineElementwise({
  name: "atan2",
  operands: ["f32", "f32"],
  expr: ([y, x]) => ex.atan2(y!, x!),
  samples: [
    { name: "every quadrant", inputs: [normal([5, 9]), normal([9])], attrs },
    { name: "number", inputs: [normal([7]), 2], attrs },
    edgePairs,
  ],
});
export const hypotOp = defineElementwise({
  name: "hypot",
  operands: ["f32", "f32"],
  expr: ([x, y]) => ex.hypot(x!, y!),
  samples: [
    { name: "row broadcast", inputs: [normal([5, 9]), normal([9])], attrs },
    {
      name: "far apart",
      inputs: [f32Values([3e38, 1e-40, 1e20, 0]), f32Values([1, 1e-40, 1e20, 0])],
      attrs,
      checkVjp: false,
    },
    edgePairs,
  ],
});

/** Tangent. @shape any -> same @source numpy.tan */
export function tan(x: Tensor): Tensor {
  return tanOp.apply([x], undefined);
}
/** Inverse sine in -pi/2..pi/2; NaN outside -1..1. @shape any -> same @source numpy.arcsin */
export function asin(x: Tensor): Tensor {
  return asinOp.apply([x], undefined);
}
/** Inverse cosine in 0..pi; NaN outside -1..1. @shape any -> same @source numpy.arccos */
export function acos(x: Tensor): Tensor {
  return acosOp.apply([x], undefined);
}
/** Inverse tangent in -pi/2..pi/2. @shape any -> same @source numpy.arctan */
export function atan(x: Tensor): Tensor {
  return atanOp.apply([x], undefined);
}
/** The angle of the point (x, y) in -pi..pi. @shape broadcast @source numpy.arctan2 */
export function atan2(y: Operand, x: Operand): Tensor {
  return atan2Op.apply([y, x], undefined);
}
/** sqrt(x^2 + y^2) without overflow on the way; its gradient at (0, 0) is 0. @shape broadcast @source numpy.hypot */
export function hypot(x: Operand, y: Operand): Tensor {
  return hypotOp.apply([x, y], undefined);
}
