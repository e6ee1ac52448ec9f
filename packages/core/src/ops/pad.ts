/** @file pad: more places at the ends of dims, filled with a number or with what the tensor holds. */
import { ShapeError, ValueError } from "../errors.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { unsliceOp } from "./slice.js";
import { take } from "./take.js";
import { indicesBeside } from "./wrap-indices.js";

/**
 * "constant": a number. "reflect": mirrored, without the edge itself. "replicate" ("edge"): the edge again and again. "circular" ("wrap"):
 * from the other end.
 */
export type PadMode = "constant" | "reflect" | "replicate" | "edge" | "circular" | "wrap";

export interface PadOptions {
  /** Default "constant". */
  readonly mode?: PadMode;
  /** For "constant". Default 0. */
  readonly value?: number;
}

/** Places before and after a dim; one number for both. */
export type PadWidth = number | readonly [before: number, after: number];

/** Place outside of 0..size-1 -> the place whose element stands there. */
const sources: Readonly<Record<Exclude<PadMode, "constant">, (place: number, size: number) => number>> = {
  reflect: (place, size) => {
    const period = Math.max(1, 2 * (size - 1));
    const within = ((place % period) + period) % period;
    return within < size ? within : period - within;
  },
  replicate: (place, size) => Math.min(size - 1, Math.max(0, place)),
  edge: (place, size) => sources.replicate(place, size),
  circular: (place, size) => ((place % size) + size) % size,
  wrap: (place, size) => sources.circular(place, size),
};

/**
 * x with `widths` more places around it: one number for all ends, or for each dim a number or [before, after].
 * @shape [a, b], [[1, 2], 0] -> [a + 3, b]
 * @throws {ShapeError} E_SHAPE unless there is one width for each dim, or when an empty dim is to be filled from itself; {ValueError}
 *   E_VALUE for a width that is no whole number of at least 0, or another mode.
 * @source numpy.pad with its widths; modes of torch.nn.functional.pad, whose widths begin at the last dim. As in NumPy, "reflect" and
 *   "circular" may be wider than the dim.
 * @example
 * tensor([1, 2, 3]).pad(1).toArraySync(); // => [0, 1, 2, 3, 0]
 * tensor([1, 2, 3]).pad([[2, 1]], { mode: "reflect" }).toArraySync(); // => [3, 2, 1, 2, 3, 2]
 */
export function pad(
  x: Tensor,
  widths: number | readonly PadWidth[],
  { mode = "constant", value = 0 }: PadOptions = {},
): Tensor {
  const pairs = pairsOf(x, widths);
  if (mode !== "constant" && !Object.hasOwn(sources, mode)) {
    throw new ValueError(
      `pad: mode is "${mode}"; it must be "constant", ${Object.keys(sources)
        .map((name) => `"${name}"`)
        .join(", ")}.`,
      { mode },
    );
  }
  const shape = x.shape.map((size, axis) => size + pairs[axis]![0] + pairs[axis]![1]);
  if (mode === "constant") {
    const window = { starts: pairs.map(([before]) => before), sizes: x.shape, steps: x.shape.map(() => 1) };
    return unsliceOp.apply([x], { ...window, shape, outside: value })[0]!;
  }
  return pairs.reduce((y, [before, after], axis) => {
    const size = x.shape[axis]!;
    if (before + after === 0) return y;
    if (size === 0) {
      throw new ShapeError(
        `pad: x is ${formatShape(x.shape)}, and axis ${axis} is to be filled by "${mode}"; it must not be empty.`,
        { x: x.shape, axis },
      );
    }
    const places = Int32Array.from({ length: shape[axis]! }, (_, i) => sources[mode](i - before, size));
    return take(y, indicesBeside(x, places), axis);
  }, x);
}

function pairsOf(x: Tensor, widths: number | readonly PadWidth[]): (readonly [number, number])[] {
  const list = typeof widths === "number" ? x.shape.map(() => widths) : widths;
  if (list.length !== x.numDims) {
    throw new ShapeError(
      `pad: there are ${list.length} widths, but x is ${formatShape(x.shape)}; there must be one number, or one width for each dim.`,
      { widths: list.length, x: x.shape },
    );
  }
  const pairs = list.map((width): readonly [number, number] => (typeof width === "number" ? [width, width] : width));
  const wrong = pairs.flat().find((width) => !Number.isInteger(width) || width < 0);
  if (wrong !== undefined) {
    throw new ValueError(`pad: a width is ${wrong}; each must be a whole number of at least 0.`, { width: wrong });
  }
  return pairs;
}
