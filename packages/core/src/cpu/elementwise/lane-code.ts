/** @file Instructions for one node of an expression on four lanes. f32 and i32 lanes hold values, masks are all ones or all zeros. */
import { BackendError } from "../../errors.js";
import type { BinaryOp, CompareOp, Expr, UnaryOp } from "../../expr/expr.js";
import { emitErf } from "../vector-math/erf.js";
import { emitExp } from "../vector-math/exp.js";
import { emitLog } from "../vector-math/log.js";
import { emitCos, emitSin } from "../vector-math/sin-cos.js";
import { emitTanh } from "../vector-math/tanh.js";
import type { FunctionBuilder, SimdOp } from "../wasm/assembler.js";

type MathOp = Exclude<UnaryOp, "neg" | "abs" | "sqrt" | "floor">;

const mathOf: Readonly<Record<MathOp, (f: FunctionBuilder) => void>> = {
  exp: emitExp,
  log: emitLog,
  tanh: emitTanh,
  erf: emitErf,
  sin: emitSin,
  cos: emitCos,
};
const floatUnary: Readonly<Record<Exclude<UnaryOp, MathOp>, SimdOp>> = {
  neg: "f32x4.neg",
  abs: "f32x4.abs",
  sqrt: "f32x4.sqrt",
  floor: "f32x4.floor",
};
const floatBinary: Readonly<Record<BinaryOp, SimdOp>> = {
  add: "f32x4.add",
  sub: "f32x4.sub",
  mul: "f32x4.mul",
  div: "f32x4.div",
  min: "f32x4.min",
  max: "f32x4.max",
};
const integerBinary: Readonly<Record<Exclude<BinaryOp, "div">, SimdOp>> = {
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
  if (e.kind === "binary") return e.op === "div" ? 5 : 1;
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
      if (e.dtype === "f32") f.op(floatBinary[e.op]);
      else if (e.op === "div") {
        throw new BackendError("elementwise: div has i32 operands; they must be f32. Cast them first.", {
          op: e.op,
          dtype: e.dtype,
        });
      } else f.op(integerBinary[e.op]);
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

function emitUnary(f: FunctionBuilder, op: UnaryOp, dtype: string): void {
  if (dtype === "i32") {
    if (op === "neg" || op === "abs") f.op(op === "neg" ? "i32x4.neg" : "i32x4.abs");
    else if (op !== "floor") {
      throw new BackendError(`elementwise: ${op} has an i32 operand; it must be f32. Cast the operand first.`, {
        op,
        dtype,
      });
    }
    return;
  }
  if (op === "neg" || op === "abs" || op === "sqrt" || op === "floor") f.op(floatUnary[op]);
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
