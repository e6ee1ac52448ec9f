/** @file One axis of a shape seen as [outer, K, inner], for reductions and gathers. */
import type { AxisView } from "../backend/kernel-table.js";
import { numElements, type Shape } from "../tensor/shape.js";
import type { ReferenceArray } from "./contract.js";

export interface AxisAttrs {
  /** Not negative. */
  readonly axis: number;
}

export function axisViewOf(shape: Shape, axis: number): AxisView {
  return {
    outer: numElements(shape.slice(0, axis)),
    axisLength: shape[axis]!,
    inner: numElements(shape.slice(axis + 1)),
  };
}

export function reducedShape(shape: Shape, axis: number): number[] {
  return shape.toSpliced(axis, 1);
}

/** Applies `f` to the values along the axis, for every place of the other dims. */
export function reduceReference(
  x: ReferenceArray,
  axis: number,
  f: (values: readonly number[]) => number,
): ReferenceArray {
  const { outer, axisLength, inner } = axisViewOf(x.shape, axis);
  const out = new Float64Array(outer * inner);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const values = Array.from({ length: axisLength }, (_, k) => x.values[(o * axisLength + k) * inner + i]!);
      out[o * inner + i] = f(values);
    }
  }
  return { shape: reducedShape(x.shape, axis), values: out };
}
