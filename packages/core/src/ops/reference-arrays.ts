/** @file Small tools of f64 references: indexing and broadcasting of row-major arrays. */
import { broadcastStrides, contiguousStrides, numElements, type Shape } from "../tensor/shape.js";
import type { ReferenceArray } from "./contract.js";

/** The array as if it had `shape`. */
export function broadcastReference(array: ReferenceArray, shape: Shape): ReferenceArray {
  const strides = broadcastStrides(array.shape, contiguousStrides(array.shape), shape);
  const steps = contiguousStrides(shape);
  const values = new Float64Array(numElements(shape));
  for (let i = 0; i < values.length; i++) {
    let place = 0;
    for (let axis = 0; axis < shape.length; axis++) {
      place += (Math.floor(i / steps[axis]!) % shape[axis]!) * strides[axis]!;
    }
    values[i] = array.values[place]!;
  }
  return { shape, values };
}

/** A row-major array whose elements `f` computes from their flat index. */
export function referenceFrom(shape: Shape, f: (index: number) => number): ReferenceArray {
  return { shape, values: Float64Array.from({ length: numElements(shape) }, (_, i) => f(i)) };
}
