/**
 * @file Scalar expressions: what an element-wise op computes for one element, written once. Each backend turns them into a kernel,
 * `derivative` derives from them, `evaluate` is their f64 meaning.
 *
 * A node is immutable and may be used several times (a DAG). Values are f32, i32 or a mask (the result of a
 * comparison); u8 and bool are kinds of i32, to be cast before and after arithmetic.
 * Rounding: every node rounds to f32 on its own; backends never contract a multiply and an add (design section 3).
 */
import type { DType } from "../tensor/dtype.js";

export type UnaryOp = "neg" | "abs" | "sqrt" | "floor" | "exp" | "log" | "tanh" | "erf" | "sin" | "cos";
export type BinaryOp = "add" | "sub" | "mul" | "div" | "min" | "max";
export type CompareOp = "lt" | "le" | "eq";

export type Expr =
  | { readonly kind: "const"; readonly value: number; readonly dtype: DType }
  | { readonly kind: "input"; readonly index: number; readonly dtype: DType }
  | { readonly kind: "scalar"; readonly index: number; readonly dtype: "f32" }
  | { readonly kind: "unary"; readonly op: UnaryOp; readonly x: Expr; readonly dtype: DType }
  | { readonly kind: "binary"; readonly op: BinaryOp; readonly x: Expr; readonly y: Expr; readonly dtype: DType }
  | { readonly kind: "compare"; readonly op: CompareOp; readonly x: Expr; readonly y: Expr; readonly dtype: "mask" }
  | { readonly kind: "select"; readonly cond: Expr; readonly x: Expr; readonly y: Expr; readonly dtype: DType }
  | { readonly kind: "cast"; readonly x: Expr; readonly dtype: DType };

export type ExprDType = Expr["dtype"];

/** Anything the builders take: a number becomes a constant of the other operand's dtype. */
export type ExprLike = Expr | number;

export function constant(value: number, dtype: DType = "f32"): Expr {
  return { kind: "const", value: dtype === "f32" ? Math.fround(value) : Math.trunc(value), dtype };
}
/** The index-th input element. */
export function input(index: number, dtype: DType = "f32"): Expr {
  return { kind: "input", index, dtype };
}
/** The index-th run-time scalar: a value that changes between launches without a new kernel (learning rate, dropout p). */
export function scalar(index: number): Expr {
  return { kind: "scalar", index, dtype: "f32" };
}

function valueDType(x: ExprLike, y: ExprLike): DType {
  for (const e of [x, y]) if (typeof e !== "number" && e.dtype !== "mask") return e.dtype;
  return "f32";
}
function lift(e: ExprLike, dtype: DType): Expr {
  return typeof e === "number" ? constant(e, dtype) : e;
}
function isConst(e: Expr, value: number): boolean {
  return e.kind === "const" && Object.is(e.value, value);
}
function unary(op: UnaryOp, x: ExprLike): Expr {
  const operand = lift(x, "f32");
  return { kind: "unary", op, x: operand, dtype: operand.dtype === "i32" ? "i32" : "f32" };
}
function binary(op: BinaryOp, x: ExprLike, y: ExprLike): Expr {
  const dtype = valueDType(x, y);
  return { kind: "binary", op, x: lift(x, dtype), y: lift(y, dtype), dtype };
}
function compare(op: CompareOp, x: ExprLike, y: ExprLike): Expr {
  const dtype = valueDType(x, y);
  return { kind: "compare", op, x: lift(x, dtype), y: lift(y, dtype), dtype: "mask" };
}

export const neg = (x: ExprLike): Expr => unary("neg", x);
export const abs = (x: ExprLike): Expr => unary("abs", x);
export const sqrt = (x: ExprLike): Expr => unary("sqrt", x);
export const floor = (x: ExprLike): Expr => unary("floor", x);
export const exp = (x: ExprLike): Expr => unary("exp", x);
export const log = (x: ExprLike): Expr => unary("log", x);
export const tanh = (x: ExprLike): Expr => unary("tanh", x);
export const erf = (x: ExprLike): Expr => unary("erf", x);
export const sin = (x: ExprLike): Expr => unary("sin", x);
export const cos = (x: ExprLike): Expr => unary("cos", x);
export const add = (x: ExprLike, y: ExprLike): Expr => binary("add", x, y);
export const sub = (x: ExprLike, y: ExprLike): Expr => binary("sub", x, y);
export const mul = (x: ExprLike, y: ExprLike): Expr => binary("mul", x, y);
export const div = (x: ExprLike, y: ExprLike): Expr => binary("div", x, y);
/** NaN if either is NaN. */
export const min = (x: ExprLike, y: ExprLike): Expr => binary("min", x, y);
/** NaN if either is NaN. */
export const max = (x: ExprLike, y: ExprLike): Expr => binary("max", x, y);
export const lt = (x: ExprLike, y: ExprLike): Expr => compare("lt", x, y);
export const le = (x: ExprLike, y: ExprLike): Expr => compare("le", x, y);
export const eq = (x: ExprLike, y: ExprLike): Expr => compare("eq", x, y);
/** `cond` (a comparison) ? x : y. Both sides are computed. */
export function select(cond: Expr, x: ExprLike, y: ExprLike): Expr {
  const dtype = valueDType(x, y);
  return { kind: "select", cond, x: lift(x, dtype), y: lift(y, dtype), dtype };
}
/** f32 -> i32, u8: towards zero, saturating, NaN becomes 0; i32 -> u8: the low 8 bits; to bool: whether it is not 0 (NaN is not); a mask becomes 1 or 0. */
export function cast(x: Expr, dtype: DType): Expr {
  return x.dtype === dtype ? x : { kind: "cast", x, dtype };
}

/** Sums and products that drop zeros and ones: only derivatives are simplified, what an author wrote runs as written. */
export const addSimple = (x: Expr, y: Expr): Expr => (isConst(x, 0) ? y : isConst(y, 0) ? x : add(x, y));
const subSimple = (x: Expr, y: Expr): Expr => (isConst(y, 0) ? x : isConst(x, 0) ? neg(y) : sub(x, y));
export const mulSimple = (x: Expr, y: Expr): Expr =>
  isConst(x, 0) || isConst(y, 0) ? constant(0) : isConst(x, 1) ? y : isConst(y, 1) ? x : mul(x, y);

const TWO_OVER_SQRT_PI = 1.1283791670955126;

/** d expr / d input(index), by the chain rule. Shared subexpressions stay shared. Comparisons, casts and floor have derivative 0. */
export function derivative(expr: Expr, index: number): Expr {
  const seen = new Map<Expr, Expr>();
  const d = (e: Expr): Expr => {
    const known = seen.get(e);
    if (known) return known;
    const result = derive(e);
    seen.set(e, result);
    return result;
  };
  const derive = (e: Expr): Expr => {
    switch (e.kind) {
      case "input":
        return constant(e.index === index && e.dtype === "f32" ? 1 : 0);
      case "unary":
        return mulSimple(d(e.x), unaryDerivative(e.op, e));
      case "binary":
        return binaryDerivative(e, d(e.x), d(e.y));
      case "select": {
        const dx = d(e.x);
        const dy = d(e.y);
        return isConst(dx, 0) && isConst(dy, 0) ? dx : select(e.cond, dx, dy);
      }
      default:
        return constant(0);
    }
  };
  return d(expr);
}

function unaryDerivative(op: UnaryOp, e: Extract<Expr, { kind: "unary" }>): Expr {
  const x = e.x;
  switch (op) {
    case "neg":
      return constant(-1);
    case "abs":
      return select(lt(x, 0), -1, select(lt(0, x), 1, 0));
    case "sqrt":
      return div(0.5, e);
    case "floor":
      return constant(0);
    case "exp":
      return e;
    case "log":
      return div(1, x);
    case "tanh":
      return sub(1, mul(e, e));
    case "erf":
      return mul(TWO_OVER_SQRT_PI, exp(neg(mul(x, x))));
    case "sin":
      return cos(x);
    case "cos":
      return neg(sin(x));
    default:
      return op satisfies never;
  }
}

function binaryDerivative(e: Extract<Expr, { kind: "binary" }>, dx: Expr, dy: Expr): Expr {
  switch (e.op) {
    case "add":
      return addSimple(dx, dy);
    case "sub":
      return subSimple(dx, dy);
    case "mul":
      return addSimple(mulSimple(dx, e.y), mulSimple(e.x, dy));
    case "div":
      return subSimple(isConst(dx, 0) ? dx : div(dx, e.y), isConst(dy, 0) ? dy : mulSimple(div(e, e.y), dy));
    case "min":
    case "max": {
      // A tie gives half to each side, as torch.maximum does.
      const first = e.op === "max" ? lt(e.y, e.x) : lt(e.x, e.y);
      const share = select(first, 1, select(eq(e.x, e.y), 0.5, 0));
      return addSimple(mulSimple(dx, share), mulSimple(dy, sub(1, share)));
    }
    default:
      return e.op satisfies never;
  }
}
