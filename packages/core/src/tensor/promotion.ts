/**
 * @file Which dtype two operands of one element-wise op meet in. Pure.
 *
 * The rule: bool -> u8 -> i32 and bool, u8 -> f32, because no value changes on these ways. i32 beside f32 would lose digits beyond
 * 2^24, so it must be cast by hand. A number takes the tensor's dtype where it has that value, and widens it where it has not.
 */
import { DTypeError } from "../errors.js";
import type { DType } from "./dtype.js";

const order: readonly DType[] = ["bool", "u8", "i32"];

/** The smallest dtype that holds every value of both; undefined for i32 beside f32. */
export function promoteTypes(a: DType, b: DType): DType | undefined {
  if (a === b) return a;
  if (a === "f32" || b === "f32") return a === "i32" || b === "i32" ? undefined : "f32";
  return order[Math.max(order.indexOf(a), order.indexOf(b))];
}

/** What a number beside a tensor asks for. `allowsAnyWhole`: the result is no number of the tensor's dtype (a comparison). */
export interface NumberBeside {
  readonly where: string;
  readonly operand: number;
  readonly value: number;
  readonly allowsAnyWhole: boolean;
}

const ranges = { u8: [0, 255], i32: [-2147483648, 2147483647] } as const;

/**
 * The dtype in which a tensor of `dtype` meets a number: f32 beside f32; i32 for a whole number beside bool; f32 for a fraction beside
 * bool or u8.
 * @throws {DTypeError} E_DTYPE for a fraction beside i32 and for a whole number that the dtype cannot hold.
 */
export function promoteNumber(dtype: DType, { where, operand, value, allowsAnyWhole }: NumberBeside): DType {
  if (dtype === "f32") return "f32";
  if (!Number.isInteger(value)) {
    if (dtype !== "i32") return "f32";
    throw new DTypeError(
      `${where}: operand ${operand} is the number ${value}, but the other operand is i32; a number beside i32 must be whole. Use cast("f32").`,
      { operand, value, dtype },
    );
  }
  const common = dtype === "bool" || (dtype === "u8" && allowsAnyWhole) ? "i32" : dtype;
  const [low, high] = ranges[common];
  if (value < low || value > high) {
    throw new DTypeError(
      `${where}: operand ${operand} is the number ${value}, but the other operand is ${dtype}; it must be in ${low}..${high}. Use cast("${common === "u8" ? "i32" : "f32"}").`,
      { operand, value, dtype },
    );
  }
  return common;
}
