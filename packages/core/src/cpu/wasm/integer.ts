/**
 * @file Integer expressions for kernel generators: addresses and loop bounds written as formulas instead of stack code.
 *
 * A tree is emitted anew wherever it is used; keep what is used often in a local.
 */
import type { FunctionBuilder, Local, PlainOp } from "./assembler.js";

/** An i32: a local, a constant, an operation on i32s, or a word in memory. */
export type Int =
  | Local
  | number
  | { readonly op: PlainOp; readonly operands: readonly Int[] }
  | { readonly loadFrom: Int; readonly offset: number };

function fold(op: PlainOp, terms: readonly Int[]): Int {
  return terms.slice(1).reduce((left: Int, right) => ({ op, operands: [left, right] }), terms[0] ?? 0);
}
export const add = (...terms: readonly Int[]): Int => fold("i32.add", terms);
export const mul = (...terms: readonly Int[]): Int => fold("i32.mul", terms);
export const sub = (x: Int, y: Int): Int => fold("i32.sub", [x, y]);
export const div = (x: Int, y: Int): Int => fold("i32.div_u", [x, y]);
export const rem = (x: Int, y: Int): Int => fold("i32.rem_u", [x, y]);
export const and = (x: Int, y: Int): Int => fold("i32.and", [x, y]);
export const lt = (x: Int, y: Int): Int => fold("i32.lt_s", [x, y]);
export const ge = (x: Int, y: Int): Int => fold("i32.ge_s", [x, y]);
export const eq = (x: Int, y: Int): Int => fold("i32.eq", [x, y]);
export const shiftRight = (x: Int, bits: number): Int => fold("i32.shr_u", [x, bits]);
/** Bytes of `count` four-byte elements. */
export const words = (count: Int): Int => fold("i32.shl", [count, 2]);
/** Both sides are emitted twice: pass locals and constants. */
export const min = (x: Int, y: Int): Int => ({ op: "select", operands: [x, y, lt(x, y)] });
export const max = (x: Int, y: Int): Int => ({ op: "select", operands: [y, x, lt(x, y)] });
/** The 32-bit word at an address. */
export const loadInt = (address: Int, offset = 0): Int => ({ loadFrom: address, offset });

/** Leaves the value on the stack. */
export function push(f: FunctionBuilder, value: Int): FunctionBuilder {
  if (typeof value === "number") return f.i32(value);
  if ("index" in value) return f.get(value);
  if ("loadFrom" in value) return push(f, value.loadFrom).mem("i32.load", value.offset);
  for (const operand of value.operands) push(f, operand);
  return f.op(value.op);
}
/** local = value. */
export function assign(f: FunctionBuilder, local: Local, value: Int): FunctionBuilder {
  return push(f, value).set(local);
}
/** vector = four floats at an address. */
export function loadVector(f: FunctionBuilder, vector: Local, address: Int, offset = 0): FunctionBuilder {
  return push(f, address).mem("v128.load", offset).set(vector);
}
/** Four floats at an address = vector. */
export function storeVector(f: FunctionBuilder, vector: Local, address: Int, offset = 0): FunctionBuilder {
  return push(f, address).get(vector).mem("v128.store", offset);
}
/** local += value. */
export function increase(f: FunctionBuilder, local: Local, value: Int): FunctionBuilder {
  return assign(f, local, add(local, value));
}
/** New i32 local with a value. */
export function define(f: FunctionBuilder, value: Int): Local {
  const local = f.local("i32");
  assign(f, local, value);
  return local;
}

export interface ForRange {
  readonly from: Int;
  /** Evaluated before each turn. */
  readonly to: Int;
  readonly step?: Int;
}
/** for (counter = from; counter < to; counter += step) body(counter). Signed. */
export function forRange(f: FunctionBuilder, range: ForRange, body: (counter: Local) => void): void {
  const counter = define(f, range.from);
  whileTrue(f, lt(counter, range.to), () => {
    body(counter);
    increase(f, counter, range.step ?? 1);
  });
}
/** while (condition) body. The condition is tested once before the loop and then at its end. */
export function whileTrue(f: FunctionBuilder, condition: Int, body: () => void): void {
  push(f, condition).if(() => {
    f.loop(() => {
      body();
      push(f, condition).brIf(0);
    });
  });
}
