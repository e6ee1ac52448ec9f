/** @file Integer indices as users write them: checked, and counted from the end where they are negative. */
import { DTypeError, ValueError } from "../errors.js";
import { Tensor } from "../tensor/tensor.js";
import { add } from "./arithmetic.js";
import { where as choose, lt } from "./compare.js";
import { knownValue } from "./index-range.js";

/**
 * i32 indices into a dim of `size`, negative ones from its end, as indices in 0..size-1: the same tensor where there is nothing to wrap.
 * @throws {ValueError} E_INDEX_RANGE with the first bad position, where the values can be had at once; {DTypeError} E_DTYPE.
 */
export function wrapIndices(where: string, ids: Tensor, size: number): Tensor {
  if (ids.dtype !== "i32") {
    throw new DTypeError(`${where}: the indices are ${ids.dtype}; they must be i32. Use cast("i32").`, {
      dtype: ids.dtype,
    });
  }
  const hasNegative = knownValue(ids, (values) => {
    let count = 0;
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      if (value < 0) count++;
      if (value < -size || value >= size) {
        throw new ValueError(
          `${where}: the index at position ${i} is ${value}, but the dim has size ${size}; it must be in ${-size}..${size - 1}.`,
          { position: i, value, size },
          "E_INDEX_RANGE",
        );
      }
    }
    return count === 0 ? 0 : 1;
  });
  if (hasNegative === 0) return ids;
  return choose(lt(ids, 0), add(ids, size), ids);
}

/** One index as a user writes it, in 0..size-1. @throws {ValueError} E_INDEX_RANGE */
export function wrapIndex(where: string, index: number, size: number): number {
  if (!Number.isInteger(index) || index < -size || index >= size) {
    throw new ValueError(
      `${where}: the index is ${index}, but the dim has size ${size}; it must be a whole number in ${-size}..${size - 1}.`,
      { index, size },
      "E_INDEX_RANGE",
    );
  }
  return index < 0 ? index + size : index;
}

/** An i32 tensor of host values on the backend of `x`. */
export function indicesBeside(x: Tensor, values: Int32Array, shape: readonly number[] = [values.length]): Tensor {
  const out = Tensor.allocate(x.backend, shape, "i32");
  if (values.length > 0) x.backend.write(out.buffer, 0, values);
  return out;
}

/** 0..count-1, i32, on the backend of `x`. */
export function countBeside(x: Tensor, count: number, shape?: readonly number[]): Tensor {
  return indicesBeside(
    x,
    Int32Array.from({ length: count }, (_, i) => i),
    shape,
  );
}
