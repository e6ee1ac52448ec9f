/** @file Whether two tensors are equal, nearly or wholly. */

import { ValueError } from "../errors.js";
import * as ex from "../expr/expr.js";
import { shapesEqual } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { all } from "./aggregate.js";
import { eq } from "./compare.js";
import { defineElementwise, type Operand } from "./elementwise.js";
import { f32Values, i32Values, normal } from "./samples.js";

export interface ClosenessOptions {
  /** Allowed distance as a share of |y|. Default 1e-5. */
  readonly rtol?: number;
  /** Allowed distance. Default 1e-8. */
  readonly atol?: number;
  /** NaN is close to NaN. Default false. */
  readonly equalNaN?: boolean;
}

const largest = 3.4028234663852886e38;
const { POSITIVE_INFINITY: inf, NaN: nan } = Number;

export const isCloseOp = defineElementwise<{ readonly equalNaN: boolean }>({
  name: "isClose",
  operands: ["T", "T", "f32", "f32"],
  hasOwnResult: true,
  attrsKey: ({ equalNaN }) => (equalNaN ? "=NaN" : ""),
  expr: ([x, y, rtol, atol], { equalNaN }) => {
    const [yes, no] = [ex.constant(1, "bool"), ex.constant(0, "bool")];
    const [a, b] = [ex.cast(x!, "f32"), ex.cast(y!, "f32")];
    const isNear = ex.le(ex.abs(ex.sub(a, b)), ex.add(atol!, ex.mul(rtol!, ex.abs(b))));
    const near = ex.select(ex.le(ex.abs(b), largest), ex.select(isNear, yes, no), no);
    const known = ex.select(ex.eq(x!, y!), yes, near);
    return equalNaN ? ex.select(ex.eq(a, a), known, ex.select(ex.eq(b, b), no, yes)) : known;
  },
  notDifferentiable: "its values are true and false",
  samples: [
    { name: "near and far", inputs: [normal([3, 7]), normal([7]), 0.3, 0.2], attrs: { equalNaN: false } },
    {
      name: "not finite",
      inputs: [f32Values([inf, -inf, nan, 1, nan]), f32Values([inf, inf, nan, inf, 1]), 0.1, 0.1],
      attrs: { equalNaN: false },
    },
    {
      name: "NaN is NaN",
      inputs: [f32Values([nan, nan, 1]), f32Values([nan, 1, nan]), 0.1, 0.1],
      attrs: { equalNaN: true },
    },
    { name: "integers", inputs: [i32Values([1, 2, 30]), i32Values([1, 3, 31]), 0.05, 0], attrs: { equalNaN: false } },
  ],
});

/**
 * |x - y| <= atol + rtol |y|, or both the same infinity.
 * @shape broadcast, bool
 * @throws {ValueError} E_VALUE for a negative tolerance.
 * @source numpy.isclose
 */
export function isClose(x: Operand, y: Operand, options: ClosenessOptions = {}): Tensor {
  const { rtol = 1e-5, atol = 1e-8, equalNaN = false } = options;
  if (!(rtol >= 0 && atol >= 0)) {
    throw new ValueError(`isClose: rtol is ${rtol} and atol ${atol}; both must be 0 or more.`, { rtol, atol });
  }
  return isCloseOp.apply([x, y, rtol, atol], { equalNaN });
}

/**
 * Whether all elements of the broadcast tensors are close. Reads the result.
 * @shape broadcast -> a boolean of JavaScript
 * @throws as `isClose`; {BackendError} E_BACKEND on a device that cannot read at once.
 * @source numpy.allclose
 * @example
 * allClose(tensor([1, 2]), tensor([1, 2.00001])); // => true
 */
export function allClose(x: Operand, y: Operand, options: ClosenessOptions = {}): boolean {
  return all(isClose(x, y, options)).itemSync() !== 0;
}

/** Whether both have one shape and equal elements. Reads the result. @shape any -> a boolean of JavaScript @throws {BackendError} E_BACKEND on a device that cannot read at once. @source numpy.array_equal */
export function arrayEqual(x: Tensor, y: Tensor): boolean {
  return shapesEqual(x.shape, y.shape) && all(eq(x, y)).itemSync() !== 0;
}
