/** @file Instructions for one node of an expression on four lanes. f32 and i32 lanes hold values, masks are all ones or all zeros. */
import { BackendError } from "../../errors.js";
import type { BinaryOp, CompareOp, Expr, UnaryOp } from "../../expr/expr.js";
import { emitAcos, emitAsin, emitAtan, emitAtan2 } from "../vector-math/arc.js";
import { emitErf } from "../vector-math/erf.js";
import { emitExp } from "../vector-math/exp.js";
import { emitCosh, emitExp2, emitExpm1, emitSinh } from "../vector-math/exp-family.js";
import { emitLog } from "../vector-math/log.js";
import { emitAcosh, emitAsinh, emitAtanh, emitLog1p, emitLog2, emitLog10 } from "../vector-math/log-family.js";
import { emitFloorDivide, emitFmod, emitHypot } from "../vector-math/remainder.js";
import { emitCos, emitSin, emitTan } from "../vector-math/sin-cos.js";
import { emitTanh } from "../vector-math/tanh.js";
import type { FunctionBuilder, SimdOp } from "../wasm/assembler.js";

type PlainUnaryOp = "neg" | "abs" | "sqrt" | "floor" | "ceil" | "trunc" | "round";
type MathOp = Exclude<UnaryOp, PlainUnaryOp>;
type PairOp = "fmod" | "atan2" | "hypot" | "floorDivide";
type PlainBinaryOp = Exclude<BinaryOp, PairOp>;

const mathOf: Readonly<Record<MathOp, (f: FunctionBuilder) => void>> = {
  exp: emitExp,
  exp2: emitExp2,
  expm1: emitExpm1,
  log: emitLog,
  log2: emitLog2,
  log10: emitLog10,
  log1p: emitLog1p,
  erf: emitErf,
  sin: emitSin,
  cos: emitCos,
  tan: emitTan,
  asin: emitAsin,
  acos: emitAcos,
  atan: emitAtan,
  sinh: emitSinh,
  cosh: emitCosh,
  tanh: emitTanh,
  asinh: emitAsinh,
  acosh: emitAcosh,
  atanh: emitAtanh,
};
const pairOf: Readonly<Record<PairOp, { readonly dtype: "f32" | "i32"; readonly emit: (f: FunctionBuilder) => void }>> =
  {
    fmod: { dtype: "f32", emit: emitFmod },
    atan2: { dtype: "f32", emit: emitAtan2 },
    hypot: { dtype: "f32", emit: emitHypot },
    floorDivide: { dtype: "i32", emit: emitFloorDivide },
  };
const floatUnary: Readonly<Record<PlainUnaryOp, SimdOp>> = {
  neg: "f32x4.neg",
  abs: "f32x4.abs",
  sqrt: "f32x4.sqrt",
  floor: "f32x4.floor",
  ceil: "f32x4.ceil",
  trunc: "f32x4.trunc",
  round: "f32x4.nearest",
};
const floatBinary: Readonly<Record<PlainBinaryOp, SimdOp>> = {
  add: "f32x4.add",
  sub: "f32x4.sub",
  mul: "f32x4.mul",
  div: "f32x4.div",
  min: "f32x4.min",
  max: "f32x4.max",
};
const integerBinary: Readonly<Record<Exclude<PlainBinaryOp, "div">, SimdOp>> = {
  add: "i32x4.add",
  sub: "i32x4.sub",
  mul: "i32x4.mul",
  min: "i32x4.min_s",
  max: "i32x4.max_s",
};
const floatCompare: Readonly<Record<CompareOp, SimdOp>> = { lt: "f32x4.lt", le: "f32x4.le", eq: "f32x4.eq" };
const integerCompare: Readonly<Record<CompareOp, SimdOp>> = { lt: "i32x4.lt_s", le: "i32x4.le_s", eq: "i32x4.eq" };

/** Work of a node, in units of one SIMD addition. */
export function costOf(e: Expr): number {
  if (e.kind === "unary" && e.op in mathOf) return 20;
  if (e.kind === "unary" && e.op === "sqrt") return 5;
  if (e.kind === "binary") return e.op in pairOf ? 20 : e.op === "div" ? 5 : 1;
  return e.kind === "const" || e.kind === "scalar" ? 0 : 1;
}

/** Pushes the value of a node whose operands `push` pushes. Inputs and scalars are the caller's. */
export function emitNode(f: FunctionBuilder, e: Expr, push: (operand: Expr) => void): void {
  switch (e.kind) {
    case "const":
      if (e.dtype === "f32") f.f32x4(e.value);
      else f.i32x4(e.value);
      return;
    case "unary":
      push(e.x);
      emitUnary(f, e.op, e.dtype);
      return;
    case "binary":
      push(e.x);
      push(e.y);
      emitBinary(f, e.op, e.dtype);
      return;
    case "compare":
      push(e.x);
      push(e.y);
      f.op(e.x.dtype === "f32" ? floatCompare[e.op] : integerCompare[e.op]);
      return;
    case "select":
      push(e.x);
      push(e.y);
      push(e.cond);
      f.op("v128.bitselect");
      return;
    case "cast":
      push(e.x);
      emitCast(f, e.x.dtype, e.dtype);
      return;
    default:
      throw new BackendError(
        `elementwise: a node of kind "${e.kind}" has no lane code; it must be bound by the kernel.`,
      );
  }
}

function emitBinary(f: FunctionBuilder, op: BinaryOp, dtype: string): void {
  const pair = isPairOp(op) ? pairOf[op] : undefined;
  const wanted = pair?.dtype ?? (op === "div" ? "f32" : dtype);
  if (wanted !== dtype) {
    throw new BackendError(`elementwise: ${op} has ${dtype} operands; they must be ${wanted}. Cast them first.`, {
      op,
      dtype,
    });
  }
  if (pair !== undefined) pair.emit(f);
  else if (dtype === "f32") f.op(floatBinary[op as PlainBinaryOp]);
  else f.op(integerBinary[op as Exclude<PlainBinaryOp, "div">]);
}

function isPairOp(op: BinaryOp): op is PairOp {
  return op in pairOf;
}

function isPlainUnary(op: UnaryOp): op is PlainUnaryOp {
  return op in floatUnary;
}

function emitUnary(f: FunctionBuilder, op: UnaryOp, dtype: string): void {
  if (dtype === "i32") {
    if (op === "neg" || op === "abs") f.op(op === "neg" ? "i32x4.neg" : "i32x4.abs");
    else if (!isPlainUnary(op) || op === "sqrt") {
      throw new BackendError(`elementwise: ${op} has an i32 operand; it must be f32. Cast the operand first.`, {
        op,
        dtype,
      });
    }
    return;
  }
  if (isPlainUnary(op)) f.op(floatUnary[op]);
  else mathOf[op](f);
}

/** A mask becomes 1 or 0. Integers of every kind are i32 lanes. */
function emitCast(f: FunctionBuilder, from: Expr["dtype"], to: Expr["dtype"]): void {
  if (from === "mask") f.op("i32x4.neg");
  if (to === "f32") {
    if (from !== "f32") f.op("f32x4.convert_i32x4_s");
  } else if (to === "bool") {
    if (from === "f32") f.f32x4(0).op("f32x4.ne", "i32x4.neg");
    else if (from === "i32" || from === "u8") f.i32x4(0).op("i32x4.ne", "i32x4.neg");
  } else {
    if (from === "f32") f.op("i32x4.trunc_sat_f32x4_s");
    if (to === "u8" && from === "f32") f.i32x4(0).op("i32x4.max_s").i32x4(255).op("i32x4.min_s");
    else if (to === "u8" && from === "i32") f.i32x4(255).op("v128.and");
  }
}
