// biome-ignore-all lint/suspicious/noShadowRestrictedNames: isNaN and isFinite are the names of the field; this file does not use the globals
/** @file Truth of elements: logical ops, and what kind of number an element is. bool results. */
import * as ex from "../expr/expr.js";
import type { Tensor } from "../tensor/tensor.js";
import { defineElementwise, type ElementwiseOp, type Operand } from "./elementwise.js";
import { f32Values, integers } from "./samples.js";

const attrs = undefined;
const notDifferentiable = "its values are true and false";
const yes = ex.constant(1, "bool");
const no = ex.constant(0, "bool");
const isZero = (x: ex.Expr): ex.Expr => ex.eq(x, 0);

function logical(name: string, expr: (x: ex.Expr, y: ex.Expr) => ex.Expr): ElementwiseOp<undefined> {
  return defineElementwise({
    name,
    operands: ["any", "any"],
    hasOwnResult: true,
    expr: ([x, y]) => expr(x!, y!),
    notDifferentiable,
    samples: [
      { name: "floats", inputs: [f32Values([0, -0, 2, Number.NaN]), f32Values([0, 3, 0, 1])], attrs },
      { name: "integers beside floats", inputs: [integers([3, 7], 0, 2), f32Values([0, 1, 0, 1, 0, 1, 0])], attrs },
      { name: "number", inputs: [integers([9], 0, 2), 1], attrs },
    ],
  });
}

export const logicalAndOp = logical("logicalAnd", (x, y) => ex.select(isZero(x), no, ex.select(isZero(y), no, yes)));
export const logicalOrOp = logical("logicalOr", (x, y) => ex.select(isZero(x), ex.select(isZero(y), no, yes), yes));
export const logicalXorOp = logical("logicalXor", (x, y) =>
  ex.select(isZero(x), ex.select(isZero(y), no, yes), ex.select(isZero(y), yes, no)),
);

function kind(name: string, expr: (x: ex.Expr) => ex.Expr): ElementwiseOp<undefined> {
  const { POSITIVE_INFINITY: inf, NaN: nan } = Number;
  return defineElementwise({
    name,
    operands: ["any"],
    hasOwnResult: true,
    expr: ([x]) => expr(x!),
    notDifferentiable,
    samples: [
      { name: "every kind", inputs: [f32Values([0, -0, 3.4028234663852886e38, inf, -inf, nan, 1e-40])], attrs },
      { name: "integers", inputs: [integers([5], -2, 2)], attrs },
    ],
  });
}

const largest = 3.4028234663852886e38;
const isInteger = (x: ex.Expr): boolean => x.dtype !== "f32";

export const logicalNotOp = kind("logicalNot", (x) => ex.select(isZero(x), yes, no));
export const isNaNOp = kind("isNaN", (x) => ex.select(ex.eq(x, x), no, yes));
export const isFiniteOp = kind("isFinite", (x) =>
  isInteger(x) ? ex.select(ex.eq(x, x), yes, no) : ex.select(ex.le(ex.abs(x), largest), yes, no),
);
export const isInfOp = kind("isInf", (x) =>
  isInteger(x) ? ex.select(ex.eq(x, x), no, yes) : ex.select(ex.eq(ex.abs(x), Number.POSITIVE_INFINITY), yes, no),
);

/** Neither is 0; of operands of any dtype. @shape broadcast, bool @source numpy.logical_and */
export function logicalAnd(x: Operand, y: Operand): Tensor {
  return logicalAndOp.apply([x, y], undefined);
}
/** Not both are 0; of operands of any dtype. @shape broadcast, bool @source numpy.logical_or */
export function logicalOr(x: Operand, y: Operand): Tensor {
  return logicalOrOp.apply([x, y], undefined);
}
/** One is 0 and the other is not; of operands of any dtype. @shape broadcast, bool @source numpy.logical_xor */
export function logicalXor(x: Operand, y: Operand): Tensor {
  return logicalXorOp.apply([x, y], undefined);
}
/** x is 0. @shape any -> same, bool @source numpy.logical_not */
export function logicalNot(x: Tensor): Tensor {
  return logicalNotOp.apply([x], undefined);
}
/** x is NaN. @shape any -> same, bool @source numpy.isnan */
export function isNaN(x: Tensor): Tensor {
  return isNaNOp.apply([x], undefined);
}
/** x is neither infinite nor NaN. @shape any -> same, bool @source numpy.isfinite */
export function isFinite(x: Tensor): Tensor {
  return isFiniteOp.apply([x], undefined);
}
/** x is infinite. @shape any -> same, bool @source numpy.isinf */
export function isInf(x: Tensor): Tensor {
  return isInfOp.apply([x], undefined);
}
