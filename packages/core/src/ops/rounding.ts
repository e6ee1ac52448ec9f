/** @file Rounding, signs and remainders of elements. */

import { ValueError } from "../errors.js";
import * as ex from "../expr/expr.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Sample } from "./contract.js";
import { defineElementwise, type Operand } from "./elementwise.js";
import { f32Values, i32Values, integers, normal } from "./samples.js";

const attrs = undefined;
const inf = Number.POSITIVE_INFINITY;
const samples: readonly Sample<undefined>[] = [
  { name: "odd width", inputs: [normal([3, 7], 0, 4)], attrs },
  {
    name: "ties and edges",
    inputs: [f32Values([0.5, 1.5, 2.5, -0.5, -1.5, -0, 1e30, 0.49999997])],
    attrs,
    checkVjp: false,
  },
  { name: "not finite", inputs: [f32Values([inf, -inf, Number.NaN])], attrs, checkVjp: false },
];

export const ceilOp = defineElementwise({ name: "ceil", operands: ["f32"], expr: ([x]) => ex.ceil(x!), samples });
export const truncOp = defineElementwise({ name: "trunc", operands: ["f32"], expr: ([x]) => ex.trunc(x!), samples });

export const roundOp = defineElementwise<{ readonly decimals: number }>({
  name: "round",
  operands: ["f32"],
  attrsKey: ({ decimals }) => `.${decimals}`,
  expr: ([x], { decimals }) => {
    let unit = 1;
    for (let i = 0; i < Math.abs(decimals); i++) unit *= 10;
    if (decimals === 0) return ex.round(x!);
    return decimals > 0 ? ex.div(ex.round(ex.mul(x!, unit)), unit) : ex.mul(ex.round(ex.div(x!, unit)), unit);
  },
  samples: [
    ...samples.map((sample) => ({ ...sample, attrs: { decimals: 0 } })),
    { name: "two decimals", inputs: [f32Values([1.234, -5.678, 0.004])], attrs: { decimals: 2 } },
    { name: "hundreds", inputs: [f32Values([1234, -5678, 40])], attrs: { decimals: -2 } },
  ],
});

export const signOp = defineElementwise({
  name: "sign",
  operands: ["T"],
  expr: ([x]) => {
    const zero = ex.constant(0, x!.dtype === "f32" ? "f32" : "i32");
    return ex.select(ex.lt(x!, 0), -1, ex.select(ex.lt(0, x!), 1, ex.select(ex.eq(x!, 0), zero, x!)));
  },
  samples: [...samples, { name: "integers", inputs: [integers([11], -3, 4)], attrs }],
});

const divisors = [2, 3, -2, -3, 0.5, 1e-3, inf, -7];
const pairs: readonly Sample<undefined>[] = [
  {
    name: "all signs",
    inputs: [f32Values([7, -7, 7, -7, 0.7, 1, 5, -5]), f32Values(divisors)],
    attrs,
    checkVjp: false,
  },
  { name: "number", inputs: [normal([33], 0, 9), 1.25], attrs },
  {
    name: "huge quotients",
    inputs: [f32Values([1e30, 3e38, 16777216, 1]), f32Values([0.7, 1e-40, 3, 3])],
    attrs,
    checkVjp: false,
  },
  { name: "row broadcast", inputs: [normal([5, 9], 0, 9), f32Values([1.5, 2, 3, -1.5, -2, -3, 0.75, 4, 5])], attrs },
  {
    name: "not finite",
    inputs: [f32Values([inf, 1, Number.NaN, 0]), f32Values([2, Number.NaN, 1, 0])],
    attrs,
    checkVjp: false,
  },
];
const integerPairs: Sample<undefined> = {
  name: "integers",
  inputs: [i32Values([7, -7, 7, -7, 0, 2147483647, -2147483648, 5]), i32Values([2, 2, -2, -2, 3, 10, 7, 3])],
  attrs,
};

export const fmodOp = defineElementwise({
  name: "fmod",
  operands: ["f32", "f32"],
  expr: ([x, y]) => ex.fmod(x!, y!),
  samples: pairs,
});

/** With the sign of the divisor. */
function remainderExpr(x: ex.Expr, y: ex.Expr): ex.Expr {
  if (x.dtype !== "f32") return ex.select(ex.eq(y, 0), 0, ex.sub(x, ex.mul(ex.floorDivide(x, y), y)));
  const rest = ex.fmod(x, y);
  const isLess = ex.select(ex.lt(y, 0), ex.cast(ex.lt(0, rest), "i32"), ex.cast(ex.lt(rest, 0), "i32"));
  return ex.select(ex.eq(isLess, 1), ex.add(rest, y), rest);
}

export const remainderOp = defineElementwise({
  name: "remainder",
  operands: ["T", "T"],
  expr: ([x, y]) => remainderExpr(x!, y!),
  samples: [...pairs, integerPairs],
});

export const floorDivideOp = defineElementwise({
  name: "floorDivide",
  operands: ["T", "T"],
  expr: ([x, y]) => {
    if (x!.dtype !== "f32") return ex.floorDivide(x!, y!);
    // Rounding has the derivative 0. The quotient of what the remainder leaves is nearly whole; the nearest whole number is it.
    const quotient = ex.round(ex.div(ex.sub(x!, remainderExpr(x!, y!)), y!));
    return ex.select(ex.eq(y!, 0), ex.round(ex.div(x!, y!)), quotient);
  },
  notDifferentiable: "it is constant between its steps",
  samples: [
    { name: "all signs", inputs: [f32Values([7, -7, 7, -7, 0.7, 5.5]), f32Values([2, 3, -2, -3, 0.5, 0.25])], attrs },
    { name: "number", inputs: [normal([33], 0, 9), 1.25], attrs },
    integerPairs,
  ],
});

export interface NanToNum {
  /** In place of NaN. Default 0. */
  readonly nan?: number;
  /** In place of infinity. Default the largest f32. */
  readonly posInf?: number;
  /** In place of -infinity. Default the least f32. */
  readonly negInf?: number;
}

const largest = 3.4028234663852886e38;

export const nanToNumOp = defineElementwise({
  name: "nanToNum",
  operands: ["f32", "f32", "f32", "f32"],
  expr: ([x, nan, posInf, negInf]) =>
    ex.select(
      ex.eq(x!, x!),
      ex.select(ex.le(ex.abs(x!), largest), x!, ex.select(ex.lt(0, x!), posInf!, negInf!)),
      nan!,
    ),
  samples: [
    { name: "finite", inputs: [normal([3, 7]), 7, 8, 9], attrs },
    { name: "all of them", inputs: [f32Values([1, inf, -inf, Number.NaN, -0]), 7, 8, 9], attrs, checkVjp: false },
  ],
});

/** Smallest whole number not below x, as f32; its gradient is 0. @shape any -> same @source numpy.ceil */
export function ceil(x: Tensor): Tensor {
  return ceilOp.apply([x], undefined);
}
/** x without its fraction, as f32; its gradient is 0. @shape any -> same @source numpy.trunc */
export function trunc(x: Tensor): Tensor {
  return truncOp.apply([x], undefined);
}
/**
 * The nearest number with so many decimals (default 0; below 0: tens, hundreds, ...), ties to the even one; its gradient is 0.
 * @shape any -> same
 * @throws {ValueError} E_VALUE when decimals is no whole number in -30..30.
 * @source numpy.round
 * @example
 * tensor([0.5, 1.5, 2.5]).round().toArraySync(); // => [0, 2, 2]
 */
export function round(x: Tensor, decimals = 0): Tensor {
  if (!Number.isInteger(decimals) || Math.abs(decimals) > 30) {
    throw new ValueError(`round: decimals is ${decimals}; it must be a whole number in -30..30.`, { decimals });
  }
  return roundOp.apply([x], { decimals });
}
/** -1, 0 or 1; NaN for NaN. @shape any -> same @source numpy.sign */
export function sign(x: Tensor): Tensor {
  return signOp.apply([x], undefined);
}
/**
 * x - floor(x / y) * y, exactly: the remainder with the sign of y, as Python's %. Integers by 0 give 0, f32 by 0 NaN.
 * @shape broadcast
 * @numerics By way of f64, so that no digit of a large quotient is lost.
 * @source numpy.remainder, torch.remainder
 * @example
 * tensor([-7, 7]).remainder(3).toArraySync(); // => [2, 1]
 */
export function remainder(x: Operand, y: Operand): Tensor {
  return remainderOp.apply([x, y], undefined);
}
/** x - trunc(x / y) * y, exactly: the remainder with the sign of x. f32. @shape broadcast @source numpy.fmod, torch.fmod */
export function fmod(x: Operand, y: Operand): Tensor {
  return fmodOp.apply([x, y], undefined);
}
/** floor(x / y). Integers by 0 give 0, f32 by 0 x / y. @shape broadcast @source numpy.floor_divide */
export function floorDivide(x: Operand, y: Operand): Tensor {
  return floorDivideOp.apply([x, y], undefined);
}
/** x with numbers in place of NaN and the infinities; the gradient passes where x is finite. @shape any -> same @source numpy.nan_to_num */
export function nanToNum(x: Tensor, { nan = 0, posInf = largest, negInf = -largest }: NanToNum = {}): Tensor {
  return nanToNumOp.apply([x, nan, posInf, negInf], undefined);
}
