/** @file A scalar expression program as WGSL statements: one `let` a node. Pure. */
import { BackendError, type ElementwiseProgram, type expr } from "@lockstep/core";
import { linearize } from "@lockstep/core/backend";

type Expr = expr.Expr;
type UnaryOp = Extract<Expr, { kind: "unary" }>["op"];
type BinaryOp = Extract<Expr, { kind: "binary" }>["op"];
type CompareOp = Extract<Expr, { kind: "compare" }>["op"];

const floatUnary: Readonly<Record<UnaryOp, (x: string) => string>> = {
  neg: (x) => `-${x}`,
  abs: (x) => `abs(${x})`,
  sqrt: (x) => `rootOf(${x})`,
  floor: (x) => `floor(${x})`,
  ceil: (x) => `ceil(${x})`,
  trunc: (x) => `trunc(${x})`,
  round: (x) => `round(${x})`,
  exp: (x) => `expOf(${x})`,
  exp2: (x) => `exp2Of(${x})`,
  expm1: (x) => `expm1Of(${x})`,
  log: (x) => `logOf(${x})`,
  log2: (x) => `log2Of(${x})`,
  log10: (x) => `log10Of(${x})`,
  log1p: (x) => `log1pOf(${x})`,
  erf: (x) => `erfOf(${x})`,
  sin: (x) => `sinOf(${x})`,
  cos: (x) => `cosOf(${x})`,
  tan: (x) => `tanOf(${x})`,
  asin: (x) => `asinOf(${x})`,
  acos: (x) => `acosOf(${x})`,
  atan: (x) => `atanOf(${x})`,
  sinh: (x) => `sinhOf(${x})`,
  cosh: (x) => `coshOf(${x})`,
  tanh: (x) => `tanhOf(${x})`,
  asinh: (x) => `asinhOf(${x})`,
  acosh: (x) => `acoshOf(${x})`,
  atanh: (x) => `atanhOf(${x})`,
};

const floatBinary: Readonly<Record<BinaryOp, (x: string, y: string) => string>> = {
  add: (x, y) => `${x} + ${y}`,
  sub: (x, y) => `${x} - ${y}`,
  mul: (x, y) => `${x} * ${y}`,
  div: (x, y) => `${x} / ${y}`,
  min: (x, y) => `smaller(${x}, ${y})`,
  max: (x, y) => `larger(${x}, ${y})`,
  fmod: (x, y) => `fmodOf(${x}, ${y})`,
  floorDivide: notOn("floorDivide", "f32"),
  atan2: (x, y) => `atan2Of(${x}, ${y})`,
  hypot: (x, y) => `hypotOf(${x}, ${y})`,
};

const integerBinary: Readonly<Record<BinaryOp, (x: string, y: string) => string>> = {
  add: (x, y) => `${x} + ${y}`,
  sub: (x, y) => `${x} - ${y}`,
  mul: (x, y) => `${x} * ${y}`,
  div: notOn("div", "i32"),
  min: (x, y) => `min(${x}, ${y})`,
  max: (x, y) => `max(${x}, ${y})`,
  fmod: notOn("fmod", "i32"),
  floorDivide: (x, y) => `floorQuotient(${x}, ${y})`,
  atan2: notOn("atan2", "i32"),
  hypot: notOn("hypot", "i32"),
};

const floatCompare: Readonly<Record<CompareOp, string>> = { lt: "less", le: "lessEqual", eq: "equal" };
const integerCompare: Readonly<Record<CompareOp, string>> = { lt: "<", le: "<=", eq: "==" };

function notOn(op: string, dtype: string): () => never {
  return () => {
    throw new BackendError(`webgpu: ${op} has no ${dtype} form; cast its operands first.`, { op, dtype });
  };
}

/** Functions that statements call, beside the math libraries. */
export const programFunctions = `
fn rootOf(x: f32) -> f32 { if (isNan(x) || (x < 0.0)) { return nan(); } if (isInf(x)) { return x; } return sqrt(x); }
fn floorQuotient(x: i32, y: i32) -> i32 {
  if (y == 0) { return 0; }
  if (y == -1) { return select(-x, 2147483647, x == -2147483647 - 1); }
  let q = x / y;
  return select(q, q - 1, (x % y != 0) && ((x < 0) != (y < 0)));
}
fn toInteger(x: f32) -> i32 {
  if (isNan(x)) { return 0; }
  if (x >= 2147483648.0) { return 2147483647; }
  if (x < -2147483648.0) { return -2147483647 - 1; }
  return i32(x);
}
fn toByte(x: f32) -> i32 { return clamp(toInteger(x), 0, 255); }
fn isNonZero(x: f32) -> i32 { return select(0, 1, (bitcast<u32>(x) & 0x7fffffffu) != 0u); }`;

export interface ProgramText {
  readonly statements: string;
  /** The value of each output. */
  readonly outputs: readonly string[];
}

/** Statements that compute every node from `in0`, `in1`, ... and `p.s0`, `p.s1`, ... */
export function programText(program: ElementwiseProgram): ProgramText {
  const { nodes, idOf } = linearize(program.outputs);
  const nameOf = (e: Expr): string => `n${idOf.get(e)}`;
  const lines = nodes.map((node, id) => `  let n${id} = ${nodeText(node, nameOf)};`);
  return { statements: lines.join("\n"), outputs: program.outputs.map(nameOf) };
}

function nodeText(e: Expr, nameOf: (e: Expr) => string): string {
  switch (e.kind) {
    case "const":
      return e.dtype === "f32" ? floatText(e.value) : integerText(e.value);
    case "input":
      return `in${e.index}`;
    case "scalar":
      return `p.s${e.index}`;
    case "unary":
      return e.dtype === "f32" ? floatUnary[e.op](nameOf(e.x)) : integerUnary(e.op, nameOf(e.x));
    case "binary":
      return (e.dtype === "f32" ? floatBinary : integerBinary)[e.op](nameOf(e.x), nameOf(e.y));
    case "compare":
      if (e.x.dtype === "f32") return `${floatCompare[e.op]}(${nameOf(e.x)}, ${nameOf(e.y)})`;
      return `${nameOf(e.x)} ${integerCompare[e.op]} ${nameOf(e.y)}`;
    case "select":
      return `select(${nameOf(e.y)}, ${nameOf(e.x)}, ${conditionText(e.cond, nameOf(e.cond))})`;
    case "cast":
      return castText(nameOf(e.x), e.x.dtype, e.dtype);
    default:
      return e satisfies never;
  }
}

function conditionText(cond: Expr, name: string): string {
  return cond.dtype === "mask" ? name : `${name} != 0`;
}

function integerUnary(op: UnaryOp, x: string): string {
  if (op === "neg") return `-${x}`;
  if (op === "abs") return `abs(${x})`;
  return notOn(op, "i32")();
}

function castText(x: string, from: Expr["dtype"], to: Expr["dtype"]): string {
  if (to === "f32") return from === "f32" ? x : from === "mask" ? `select(0.0, 1.0, ${x})` : `f32(${x})`;
  if (from === "mask") return `select(0, 1, ${x})`;
  if (to === "bool") return from === "f32" ? `isNonZero(${x})` : `select(0, 1, ${x} != 0)`;
  if (to === "u8") return from === "f32" ? `toByte(${x})` : `${x} & 255`;
  return from === "f32" ? `toInteger(${x})` : x;
}

function floatText(value: number): string {
  if (Number.isNaN(value)) return "nan()";
  if (value === Number.POSITIVE_INFINITY) return "inf()";
  if (value === Number.NEGATIVE_INFINITY) return "-inf()";
  const bits = new Uint32Array(new Float32Array([value]).buffer)[0]!;
  return `bitcast<f32>(${bits}u)`;
}

function integerText(value: number): string {
  return value === -2147483648 ? "(-2147483647 - 1)" : `i32(${value})`;
}
