/** @file outer and meshgrid: every pair of the elements of vectors. */
import { ShapeError, ValueError } from "../errors.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { mul } from "./arithmetic.js";
import { expand } from "./expand-sum.js";
import { reshape } from "./reshape.js";

/**
 * Every product of an element of x and one of y.
 * @shape x [a], y [b] -> [a, b]
 * @throws {ShapeError} E_SHAPE unless both have one dim; {DTypeError} E_DTYPE
 * @source torch.outer
 * @example
 * tensor([1, 2]).outer(tensor([3, 4])).toArraySync(); // => [[3, 4], [6, 8]]
 */
export function outer(x: Tensor, y: Tensor): Tensor {
  if (x.numDims !== 1 || y.numDims !== 1) {
    throw new ShapeError(
      `outer: x is ${formatShape(x.shape)} and y is ${formatShape(y.shape)}; both must have one dim. Use flatten.`,
      { x: x.shape, y: y.shape },
    );
  }
  return mul(reshape(x, [x.size, 1]), y);
}

export interface MeshgridOptions {
  /** "ij": vector i runs along dim i. "xy": the first two dims swapped, as pictures have them. Default "ij". */
  readonly indexing?: "ij" | "xy";
}

/**
 * The coordinates of a grid: each vector repeated along the dims of the others. Views.
 * @shape [a], [b] -> [a, b] each; "xy" -> [b, a] each
 * @throws {ShapeError} E_SHAPE unless each has one dim; {ValueError} E_VALUE for another indexing.
 * @source torch.meshgrid; numpy.meshgrid, whose default is "xy"
 * @example
 * meshgrid([tensor([1, 2]), tensor([3, 4])])[0].toArraySync(); // => [[1, 1], [2, 2]]
 */
export function meshgrid(vectors: readonly Tensor[], { indexing = "ij" }: MeshgridOptions = {}): readonly Tensor[] {
  if (indexing !== "ij" && indexing !== "xy") {
    throw new ValueError(`meshgrid: indexing is "${indexing as string}"; it must be "ij" or "xy".`, { indexing });
  }
  const wrong = vectors.findIndex((vector) => vector.numDims !== 1);
  if (wrong >= 0) {
    throw new ShapeError(
      `meshgrid: vector ${wrong} is ${formatShape(vectors[wrong]!.shape)}; each must have one dim. Use flatten.`,
      { index: wrong, shape: vectors[wrong]!.shape },
    );
  }
  const dimOf = (i: number): number => (indexing === "xy" && vectors.length > 1 && i < 2 ? 1 - i : i);
  const shape: number[] = [];
  vectors.forEach((vector, i) => {
    shape[dimOf(i)] = vector.size;
  });
  return vectors.map((vector, i) =>
    expand(
      reshape(
        vector,
        shape.map((size, dim) => (dim === dimOf(i) ? size : 1)),
      ),
      shape,
    ),
  );
}
