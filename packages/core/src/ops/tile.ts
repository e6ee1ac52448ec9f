/**
 * @file Repetition. `tile` repeats the whole (torch calls it repeat), `repeatInterleave` each element (NumPy calls it repeat). There is no
 * `repeat`: it would be wrong for one half of its users.
 */
import { ShapeError, ValueError } from "../errors.js";
import { formatShape, normalizeAxis } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { expand } from "./expand-sum.js";
import { reshape } from "./reshape.js";
import { take } from "./take.js";
import { indicesBeside } from "./wrap-indices.js";

function checkCounts(where: string, counts: readonly number[]): void {
  const wrong = counts.find((count) => !Number.isInteger(count) || count < 0);
  if (wrong !== undefined) {
    throw new ValueError(`${where}: repeats are ${formatShape(counts)}; each must be a whole number of at least 0.`, {
      repeats: counts,
    });
  }
}

/**
 * The whole tensor again and again along each axis. The shorter of shape and repeats is filled up with ones on its left.
 * @shape [a, b], [2, 3] -> [2a, 3b]
 * @throws {ValueError} E_VALUE for a count that is no whole number of at least 0.
 * @source numpy.tile, torch.tile (torch.Tensor.repeat)
 * @example
 * tensor([1, 2]).tile([2, 2]).toArraySync(); // => [[1, 2, 1, 2], [1, 2, 1, 2]]
 */
export function tile(x: Tensor, repeats: number | readonly number[]): Tensor {
  const given = typeof repeats === "number" ? [repeats] : repeats;
  checkCounts("tile", given);
  const numDims = Math.max(given.length, x.numDims);
  const fill = (list: readonly number[]) => [...new Array<number>(numDims - list.length).fill(1), ...list];
  const [counts, shape] = [fill(given), fill(x.shape)];
  const apart = reshape(
    x,
    shape.flatMap((size) => [1, size]),
  );
  const repeated = expand(
    apart,
    shape.flatMap((size, i) => [counts[i]!, size]),
  );
  return reshape(
    repeated,
    shape.map((size, i) => counts[i]! * size),
  );
}

/**
 * Each element several times in a row, along an axis, or of the flat tensor without one: as often as the number says, or as the list
 * says for its place.
 * @shape [a, b], 2, axis 1 -> [a, 2b]; without an axis -> [2ab]
 * @throws {ValueError} E_VALUE for a count that is no whole number of at least 0; {ShapeError} E_SHAPE unless a list has one for each place.
 * @source torch.repeat_interleave, numpy.repeat
 * @example
 * tensor([1, 2]).repeatInterleave(2).toArraySync(); // => [1, 1, 2, 2]
 */
export function repeatInterleave(x: Tensor, repeats: number | readonly number[], axis?: number): Tensor {
  const flat = axis === undefined ? reshape(x, [x.size]) : x;
  const at = normalizeAxis("repeatInterleave", axis ?? 0, flat.numDims);
  const size = flat.shape[at]!;
  const counts = typeof repeats === "number" ? new Array<number>(size).fill(repeats) : repeats;
  checkCounts("repeatInterleave", typeof repeats === "number" ? [repeats] : repeats);
  if (counts.length !== size) {
    throw new ShapeError(
      `repeatInterleave: there are ${counts.length} repeats, but the axis has size ${size}; there must be one number, or one for each place.`,
      { repeats: counts.length, size },
    );
  }
  const places = counts.flatMap((count, place) => new Array<number>(count).fill(place));
  return take(flat, indicesBeside(x, Int32Array.from(places)), at);
}
