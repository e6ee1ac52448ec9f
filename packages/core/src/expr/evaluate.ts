/**
 * @file What an element-wise program means: an interpreter in f64, and the same one rounding every node to f32 (the reference
 * backend). Works array by array, so that it is slow but not painfully so.
 */
import { ValueError } from "../errors.js";
import type { DType } from "../tensor/dtype.js";
import type { BinaryOp, CompareOp, Expr, UnaryOp } from "./expr.js";
import * as host from "./host-math.js";
import { type ElementwiseProgram, linearize } from "./program.js";

export interface EvaluateOptions {
  /** Rounds every f32 node as f32 arithmetic does. Default false: f64 throughout. */
  readonly roundToF32?: boolean;
}

/** Every output of `program` for `count` elements; `inputs[i][j]` is element j of input i. */
export function evaluateProgram(
  program: ElementwiseProgram,
  inputs: readonly ArrayLike<number>[],
  scalars: readonly number[],
  count: number,
  options: EvaluateOptions = {},
): Float64Array[] {
  const { nodes, idOf } = linearize(program.outputs);
  const values: Float64Array[] = [];
  const valuesOf = (e: Expr): Float64Array => values[idOf.get(e)!]!;
  for (const node of nodes) {
    const out = new Float64Array(count);
    evaluateNode(node, { valuesOf, inputs, scalars }, out);
    if (options.roundToF32 && node.dtype === "f32") for (let i = 0; i < count; i++) out[i] = Math.fround(out[i]!);
    values.push(out);
  }
  return program.outputs.map(valuesOf);
}

interface Environment {
  readonly valuesOf: (e: Expr) => Float64Array;
  readonly inputs: readonly ArrayLike<number>[];
  readonly scalars: readonly number[];
}

function evaluateNode(e: Expr, { valuesOf, inputs, scalars }: Environment, out: Float64Array): void {
  const count = out.length;
  switch (e.kind) {
    case "const":
      out.fill(e.value);
      return;
    case "scalar":
      out.fill(scalars[e.index]!);
      return;
    case "input": {
      const source = inputs[e.index]!;
      for (let i = 0; i < count; i++) out[i] = source[i]!;
      return;
    }
    case "unary": {
      const f = unaryFunctions[e.op];
      const x = valuesOf(e.x);
      for (let i = 0; i < count; i++) out[i] = e.dtype === "i32" ? f(x[i]!) | 0 : f(x[i]!);
      return;
    }
    case "binary": {
      const f = e.dtype === "i32" ? intFunctions[e.op] : binaryFunctions[e.op];
      const [x, y] = [valuesOf(e.x), valuesOf(e.y)];
      for (let i = 0; i < count; i++) out[i] = f(x[i]!, y[i]!);
      return;
    }
    case "compare": {
      const f = compareFunctions[e.op];
      const [x, y] = [valuesOf(e.x), valuesOf(e.y)];
      for (let i = 0; i < count; i++) out[i] = f(x[i]!, y[i]!) ? 1 : 0;
      return;
    }
    case "select": {
      const [cond, x, y] = [valuesOf(e.cond), valuesOf(e.x), valuesOf(e.y)];
      for (let i = 0; i < count; i++) out[i] = cond[i] !== 0 ? x[i]! : y[i]!;
      return;
    }
    case "cast": {
      const x = valuesOf(e.x);
      for (let i = 0; i < count; i++) out[i] = convert(x[i]!, e.x.dtype, e.dtype);
      return;
    }
    default:
      e satisfies never;
  }
}

function convert(x: number, from: Expr["dtype"], to: DType): number {
  if (to === "bool") return x !== 0 ? 1 : 0;
  if (to === "u8") return from === "f32" ? saturate(x, 0, 255) : x & 255;
  return to === "i32" && from === "f32" ? saturate(x, -0x80000000, 0x7fffffff) : x;
}

function saturate(x: number, low: number, high: number): number {
  return Number.isNaN(x) ? 0 : Math.max(low, Math.min(high, Math.trunc(x)));
}

function roundHalfEven(x: number): number {
  const below = Math.floor(x);
  const isTie = x - below === 0.5;
  return isTie && below % 2 !== 0 ? below + 1 : isTie ? below : Math.round(x);
}

function floatOnly(op: BinaryOp): () => never {
  return () => {
    throw new ValueError(`${op}: the operands are i32; they must be f32. Cast them first.`, { op });
  };
}

const unaryFunctions: Readonly<Record<UnaryOp, (x: number) => number>> = {
  neg: (x) => -x,
  abs: Math.abs,
  sqrt: Math.sqrt,
  floor: Math.floor,
  ceil: Math.ceil,
  trunc: Math.trunc,
  round: roundHalfEven,
  exp: host.hostExp,
  exp2: host.hostExp2,
  expm1: host.hostExpm1,
  log: host.hostLog,
  log2: host.hostLog2,
  log10: host.hostLog10,
  log1p: host.hostLog1p,
  erf: host.hostErf,
  sin: host.hostSin,
  cos: host.hostCos,
  tan: host.hostTan,
  asin: host.hostAsin,
  acos: host.hostAcos,
  atan: host.hostAtan,
  sinh: host.hostSinh,
  cosh: host.hostCosh,
  tanh: host.hostTanh,
  asinh: host.hostAsinh,
  acosh: host.hostAcosh,
  atanh: host.hostAtanh,
};

const binaryFunctions: Readonly<Record<BinaryOp, (x: number, y: number) => number>> = {
  add: (x, y) => x + y,
  sub: (x, y) => x - y,
  mul: (x, y) => x * y,
  div: (x, y) => x / y,
  min: Math.min,
  max: Math.max,
  fmod: (x, y) => x % y,
  floorDivide: (x, y) => (y === 0 ? 0 : Math.floor(x / y)),
  atan2: host.hostAtan2,
  hypot: host.hostHypot,
};

const intFunctions: Readonly<Record<BinaryOp, (x: number, y: number) => number>> = {
  add: (x, y) => (x + y) | 0,
  sub: (x, y) => (x - y) | 0,
  mul: Math.imul,
  div: floatOnly("div"),
  min: Math.min,
  max: Math.max,
  fmod: floatOnly("fmod"),
  floorDivide: (x, y) => (y === 0 ? 0 : saturate(Math.floor(x / y), -0x80000000, 0x7fffffff)),
  atan2: floatOnly("atan2"),
  hypot: floatOnly("hypot"),
};

const compareFunctions: Readonly<Record<CompareOp, (x: number, y: number) => boolean>> = {
  lt: (x, y) => x < y,
  le: (x, y) => x <= y,
  eq: (x, y) => x === y,
};
