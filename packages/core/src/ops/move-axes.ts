/** @file swapAxes, moveAxis, expandDims: NumPy's names for views with dims in other places. */
import { ShapeError } from "../errors.js";
import { formatShape, normalizeAxis } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { permute, transpose } from "./permute.js";
import { reshape } from "./reshape.js";

/** Swaps two dims. A view. @shape [a, b, c], 0, 2 -> [c, b, a] @source numpy.swapaxes (torch.transpose) */
export function swapAxes(x: Tensor, axis0: number, axis1: number): Tensor {
  return transpose(x, axis0, axis1);
}

/**
 * Moves dims to other places; all others keep their order. A view.
 * @shape [a, b, c], 0 to -1 -> [b, c, a]
 * @throws {ShapeError} E_SHAPE when the lists differ in length or name a dim twice; E_AXIS
 * @source numpy.moveaxis, torch.movedim
 */
export function moveAxis(
  x: Tensor,
  source: number | readonly number[],
  destination: number | readonly number[],
): Tensor {
  const axesOf = (axes: number | readonly number[]) =>
    (typeof axes === "number" ? [axes] : axes).map((axis) => normalizeAxis("moveAxis", axis, x.numDims));
  const [from, to] = [axesOf(source), axesOf(destination)];
  if (from.length !== to.length || new Set(from).size !== from.length || new Set(to).size !== to.length) {
    throw new ShapeError(
      `moveAxis: source is ${formatShape(from)} and destination ${formatShape(to)}; both must name as many dims, each once.`,
      { source: from, destination: to },
    );
  }
  const others = x.shape.map((_, i) => i).filter((i) => !from.includes(i));
  let next = 0;
  return permute(
    x,
    x.shape.map((_, i) => (to.includes(i) ? from[to.indexOf(i)]! : others[next++]!)),
  );
}

/**
 * Puts dims of size 1 at places of the result: `unsqueeze` of several at once. A view.
 * @shape [a, b], [0, -1] -> [1, a, b, 1]
 * @throws {ShapeError} E_SHAPE when a place is named twice; E_AXIS
 * @source numpy.expand_dims
 */
export function expandDims(x: Tensor, axis: number | readonly number[]): Tensor {
  const list = typeof axis === "number" ? [axis] : axis;
  const numDims = x.numDims + list.length;
  const axes = list.map((at) => normalizeAxis("expandDims", at, numDims));
  if (new Set(axes).size !== axes.length) {
    throw new ShapeError(`expandDims: axes are ${formatShape(list)}; each place must be named once.`, { axes: list });
  }
  let next = 0;
  return reshape(
    x,
    Array.from({ length: numDims }, (_, i) => (axes.includes(i) ? 1 : x.shape[next++]!)),
  );
}
