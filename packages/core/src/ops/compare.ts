/** @file Comparisons (bool results), where, clip and cast. */
import * as ex from "../expr/expr.js";
import type { DType } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";
import { defineElementwise, type ElementwiseOp, type Operand } from "./elementwise.js";
import { f32Values, i32Values, integers, normal } from "./samples.js";

const attrs = undefined;

function comparison(
  name: string,
  compare: (x: ex.Expr, y: ex.Expr) => ex.Expr,
  isNegated = false,
): ElementwiseOp<undefined> {
  const [yes, no] = isNegated ? [0, 1] : [1, 0];
  return defineElementwise({
    name,
    operands: ["T", "T"],
    hasOwnResult: true,
    expr: ([x, y]) => ex.select(compare(x!, y!), ex.constant(yes!, "bool"), ex.constant(no!, "bool")),
    notDifferentiable: "its values are 0 and 1",
    samples: [
      { name: "with ties", inputs: [f32Values([1, 2, 3, 0, -1]), f32Values([1, 3, 2, -0, -1])], attrs },
      { name: "number", inputs: [normal([9]), 0.25], attrs },
      { name: "integers", inputs: [i32Values([1, 2, 3]), i32Values([3, 2, 1])], attrs },
    ],
  });
}

export const ltOp = comparison("lt", ex.lt);
export const leOp = comparison("le", ex.le);
export const gtOp = comparison("gt", (x, y) => ex.lt(y, x));
export const geOp = comparison("ge", (x, y) => ex.le(y, x));
export const eqOp = comparison("eq", ex.eq);
export const neOp = comparison("ne", ex.eq, true);

export const whereOp = defineElementwise({
  name: "where",
  operands: ["mask", "T", "T"],
  expr: ([condition, x, y]) => ex.select(ex.eq(condition!, 0), y!, x!),
  samples: [
    { name: "mask broadcast", inputs: [integers([7], 0, 2), normal([3, 7]), normal([3, 7])], attrs },
    { name: "number", inputs: [integers([9], 0, 2), normal([9]), -1], attrs },
  ],
});

export const clipOp = defineElementwise({
  name: "clip",
  operands: ["T", "T", "T"],
  expr: ([x, low, high]) => ex.select(ex.lt(x!, low!), low!, ex.select(ex.lt(high!, x!), high!, x!)),
  samples: [
    { name: "both sides", inputs: [normal([5, 9], 0, 2), -1, 1.5], attrs },
    { name: "integers", inputs: [integers([11], -9, 9), -3, 4], attrs },
  ],
});

export const castOp = defineElementwise<{ readonly dtype: DType }>({
  name: "cast",
  operands: ["T"],
  hasOwnResult: true,
  attrsKey: ({ dtype }) => dtype,
  expr: ([x], { dtype }) => ex.cast(x!, dtype),
  notDifferentiable: "integers have no gradient",
  samples: [
    { name: "f32 to i32 cuts towards zero", inputs: [f32Values([1.9, -1.9, 0, 3e9, -3e9])], attrs: { dtype: "i32" } },
    { name: "i32 to f32", inputs: [i32Values([1, -2, 7])], attrs: { dtype: "f32" } },
    { name: "f32 to u8 saturates", inputs: [f32Values([1.9, -1.9, 0, 300, 255])], attrs: { dtype: "u8" } },
    { name: "f32 to bool", inputs: [f32Values([1.9, -1.9, 0, -0, 1e-40])], attrs: { dtype: "bool" } },
    { name: "i32 to bool", inputs: [i32Values([0, -2, 256])], attrs: { dtype: "bool" } },
  ],
});

/** x < y. @shape broadcast, bool @source numpy.less */
export function lt(x: Operand, y: Operand): Tensor {
  return ltOp.apply([x, y], undefined);
}
/** x <= y. @shape broadcast, bool @source numpy.less_equal */
export function le(x: Operand, y: Operand): Tensor {
  return leOp.apply([x, y], undefined);
}
/** x > y. @shape broadcast, bool @source numpy.greater */
export function gt(x: Operand, y: Operand): Tensor {
  return gtOp.apply([x, y], undefined);
}
/** x >= y. @shape broadcast, bool @source numpy.greater_equal */
export function ge(x: Operand, y: Operand): Tensor {
  return geOp.apply([x, y], undefined);
}
/** x == y. @shape broadcast, bool @source numpy.equal */
export function eq(x: Operand, y: Operand): Tensor {
  return eqOp.apply([x, y], undefined);
}
/** x != y. @shape broadcast, bool @source numpy.not_equal */
export function ne(x: Operand, y: Operand): Tensor {
  return neOp.apply([x, y], undefined);
}
/** Elements of x where condition is not 0, else of y. @shape broadcast; condition bool, u8 or i32 @source numpy.where */
export function where(condition: Tensor, x: Operand, y: Operand): Tensor {
  return whereOp.apply([condition, x, y], undefined);
}
/**
 * x limited to [low, high]; null stands for no limit. The gradient passes inside and at the limits.
 * @shape any -> same
 * @throws {DTypeError} E_DTYPE for limits that an integer x cannot have.
 * @source torch.clamp, numpy.clip
 * @example
 * clip(tensor([-1, 2, 9]), 0, null).toArraySync(); // => [0, 2, 9]
 */
export function clip(x: Tensor, low: number | null, high: number | null): Tensor {
  const [least, most] = limits[x.dtype];
  return clipOp.apply([x, low ?? least, high ?? most], undefined);
}

const limits: Readonly<Record<DType, readonly [number, number]>> = {
  f32: [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
  i32: [-2147483648, 2147483647],
  u8: [0, 255],
  bool: [0, 1],
};
/**
 * x as another dtype; x itself when it has the dtype. f32 to i32 and u8 cuts towards zero and saturates, NaN becomes 0; i32 to u8 keeps
 * the low 8 bits; to bool asks whether an element is not 0 (NaN is not).
 * @shape any -> same
 * @source numpy.ndarray.astype, which leaves out of range floats to the machine
 * @example
 * cast(tensor([300, -2, 1.9]), "u8").toArraySync(); // => [255, 0, 1]
 */
export function cast(x: Tensor, dtype: DType): Tensor {
  return x.dtype === dtype ? x : castOp.apply([x], { dtype });
}
