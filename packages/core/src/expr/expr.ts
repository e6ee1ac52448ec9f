/**
 * @file Scalar expressions: what an element-wise op computes for one element, written once. Each backend turns them into a kernel,
 * `derivative` derives from them, `evaluate` is their f64 meaning.
 *
 * A node is immutable and may be used several times (a DAG). Values are f32, i32 or a mask (the result of a
 * comparison); u8 and bool are kinds of i32, to be cast before and after arithmetic.
 * Rounding: every node rounds to f32 on its own; backends never contract a multiply and an add (design section 3).
 */
import type { DType } from "../tensor/dtype.js";

type RoundingOp = "floor" | "ceil" | "trunc" | "round";
type ExponentialOp = "exp" | "exp2" | "expm1" | "log" | "log2" | "log10" | "log1p" | "erf";
type CircularOp = "sin" | "cos" | "tan" | "asin" | "acos" | "atan";
export type HyperbolicOp = "sinh" | "cosh" | "tanh" | "asinh" | "acosh" | "atanh";
export type UnaryOp = "neg" | "abs" | "sqrt" | RoundingOp | ExponentialOp | CircularOp | HyperbolicOp;
/** fmod, atan2 and hypot are f32 only, floorDivide i32 only. */
export type BinaryOp = "add" | "sub" | "mul" | "div" | "min" | "max" | "fmod" | "floorDivide" | "atan2" | "hypot";
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
export function isConst(e: Expr, value: number): boolean {
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
/** To the nearest whole number, ties to the even one. */
export const round = (x: ExprLike): Expr => unary("round", x);
export const ceil = (x: ExprLike): Expr => unary("ceil", x);
export const trunc = (x: ExprLike): Expr => unary("trunc", x);
export const exp2 = (x: ExprLike): Expr => unary("exp2", x);
export const expm1 = (x: ExprLike): Expr => unary("expm1", x);
export const log2 = (x: ExprLike): Expr => unary("log2", x);
export const log10 = (x: ExprLike): Expr => unary("log10", x);
export const log1p = (x: ExprLike): Expr => unary("log1p", x);
export const tan = (x: ExprLike): Expr => unary("tan", x);
export const asin = (x: ExprLike): Expr => unary("asin", x);
export const acos = (x: ExprLike): Expr => unary("acos", x);
export const atan = (x: ExprLike): Expr => unary("atan", x);
export const sinh = (x: ExprLike): Expr => unary("sinh", x);
export const cosh = (x: ExprLike): Expr => unary("cosh", x);
export const asinh = (x: ExprLike): Expr => unary("asinh", x);
export const acosh = (x: ExprLike): Expr => unary("acosh", x);
export const atanh = (x: ExprLike): Expr => unary("atanh", x);
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
/** x - trunc(x / y) * y, exactly; f32. */
export const fmod = (x: ExprLike, y: ExprLike): Expr => binary("fmod", x, y);
/** i32; 0 for a divisor of 0. */
export const floorDivide = (x: ExprLike, y: ExprLike): Expr => binary("floorDivide", x, y);
/** The angle of the point (x, y). */
export const atan2 = (y: ExprLike, x: ExprLike): Expr => binary("atan2", y, x);
export const hypot = (x: ExprLike, y: ExprLike): Expr => binary("hypot", x, y);
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
