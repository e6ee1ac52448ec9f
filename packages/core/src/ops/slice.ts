/** @file slice (a view) and its vjp, a scatter into zeros. */
import { ShapeError, ValueError } from "../errors.js";
import { contiguousStrides, formatShape, normalizeAxis, type Shape } from "../tensor/shape.js";
import type { Layout, Tensor } from "../tensor/tensor.js";
import { defineStructural, defineView, type StructuralOp, type ViewOp } from "./apply.js";
import { referenceFrom } from "./reference-arrays.js";
import { reshape } from "./reshape.js";
import { normal } from "./samples.js";

/** One entry for each dim. Steps are positive. */
export interface SliceAttrs {
  readonly starts: readonly number[];
  readonly sizes: readonly number[];
  readonly steps: readonly number[];
}

export interface UnsliceAttrs extends SliceAttrs {
  /** Of the tensor that was sliced. */
  readonly shape: Shape;
}

function windowOf({ offset, strides }: Layout, { starts, sizes, steps }: SliceAttrs): Layout {
  let start = offset;
  starts.forEach((at, axis) => {
    start += at * strides[axis]!;
  });
  return { offset: start, shape: sizes, strides: strides.map((stride, axis) => stride * steps[axis]!) };
}

/** For each element of the window in row-major order, its flat place in the whole. */
function placesOf(shape: Shape, attrs: SliceAttrs): number[] {
  const { offset, shape: sizes, strides } = windowOf({ offset: 0, shape, strides: contiguousStrides(shape) }, attrs);
  const counts = contiguousStrides(sizes);
  const size = sizes.reduce((a, b) => a * b, 1);
  return Array.from({ length: size }, (_, i) =>
    sizes.reduce((place, n, axis) => place + (Math.floor(i / counts[axis]!) % n) * strides[axis]!, offset),
  );
}

const odd = { starts: [1, 0], sizes: [2, 3], steps: [1, 2] };

export const sliceOp: ViewOp<SliceAttrs> = defineView<SliceAttrs>({
  name: "slice",
  layoutRule: (input, attrs) => [windowOf(input, attrs)],
  reference: ([x], attrs) => {
    const places = placesOf(x!.shape, attrs);
    return [referenceFrom(attrs.sizes, (i) => x!.values[places[i]!]!)];
  },
  vjp: {
    pull: ({ inputShapes, attrs }, dOut) => unsliceOp.apply([dOut], { ...attrs, shape: inputShapes[0]! }),
  },
  samples: [
    { name: "steps of two", inputs: [normal([4, 7])], attrs: odd },
    { name: "middle of a vector", inputs: [normal([11])], attrs: { starts: [3], sizes: [5], steps: [1] } },
    { name: "nothing", inputs: [normal([4, 3])], attrs: { starts: [2, 0], sizes: [0, 3], steps: [1, 1] } },
  ],
});

/** Zeros of `shape` with the input written into the window. */
export const unsliceOp: StructuralOp<UnsliceAttrs> = defineStructural<UnsliceAttrs>({
  name: "unslice",
  layout: "any",
  shapeRule: ([x], { shape }) => [{ shape, dtype: x!.dtype }],
  reference: ([x], attrs) => {
    const out = referenceFrom(attrs.shape, () => 0);
    placesOf(attrs.shape, attrs).forEach((place, i) => {
      out.values[place] = x!.values[i]!;
    });
    return [out];
  },
  run: (backend, [x], [out], attrs) => {
    backend.kernels.fill(out!, 0);
    backend.kernels.copy(x!, { buffer: out!.buffer, dtype: out!.dtype, ...windowOf(out!, attrs) });
  },
  vjp: { pull: ({ attrs: { starts, sizes, steps } }, dOut) => sliceOp.apply(dOut, { starts, sizes, steps }) },
  samples: [{ name: "steps of two", inputs: [normal([2, 3])], attrs: { ...odd, shape: [4, 7] } }],
});

/** `start` (included) to `stop` (not included), each negative from the end, in steps. */
export interface SliceRange {
  readonly start?: number;
  readonly stop?: number;
  /** Positive. Default 1. Use indexSelect to go backwards. */
  readonly step?: number;
}

/**
 * A window: one range for each leading dim, `null` for a whole dim. A view: costs nothing.
 * @shape [a, b], ranges [{ start: 1, stop: 3 }] -> [2, b]
 * @throws {ValueError} E_VALUE for a step below 1; {ShapeError} E_SHAPE for more ranges than dims.
 * @source numpy basic slicing, with positive steps
 * @example
 * tensor([0, 1, 2, 3, 4, 5]).slice([{ start: 1, step: 2 }]).toArraySync(); // => [1, 3, 5]
 */
export function slice(x: Tensor, ranges: readonly (SliceRange | null)[]): Tensor {
  if (ranges.length > x.numDims) {
    throw new ShapeError(
      `slice: there are ${ranges.length} ranges, but x is ${formatShape(x.shape)}; at most one for each dim.`,
      {
        ranges: ranges.length,
        x: x.shape,
      },
    );
  }
  const bounds = x.shape.map((size, axis) => boundsOf(size, ranges[axis] ?? {}));
  return sliceOp.apply(x, {
    starts: bounds.map((b) => b.start),
    sizes: bounds.map((b) => b.size),
    steps: bounds.map((b) => b.step),
  })[0]!;
}

function boundsOf(
  size: number,
  { start = 0, stop = size, step = 1 }: SliceRange,
): { start: number; size: number; step: number } {
  if (!Number.isInteger(step) || step < 1) {
    throw new ValueError(
      `slice: step is ${step}; it must be an integer of at least 1. Use indexSelect to go backwards.`,
      { step },
    );
  }
  const clamp = (at: number): number => Math.min(size, Math.max(0, at < 0 ? at + size : at));
  const from = clamp(start);
  return { start: from, size: Math.max(0, Math.ceil((clamp(stop) - from) / step)), step };
}

/** `length` places from `start` along an axis. A view. @shape [a, b], axis 1 -> [a, length] @source torch.narrow */
export function narrow(x: Tensor, axis: number, start: number, length: number): Tensor {
  const at = normalizeAxis("narrow", axis, x.numDims);
  if (start < 0 || length < 0 || start + length > x.shape[at]!) {
    throw new ShapeError(
      `narrow: start is ${start} and length ${length}, but dim ${axis} of ${formatShape(x.shape)} has size ${x.shape[at]}; start + length must be within it.`,
      { start, length, x: x.shape },
    );
  }
  return sliceOp.apply(x, {
    starts: x.shape.map((_, i) => (i === at ? start : 0)),
    sizes: x.shape.map((size, i) => (i === at ? length : size)),
    steps: x.shape.map(() => 1),
  })[0]!;
}

/** One place of an axis, without that axis. A view. @shape [a, b, c], axis 1 -> [a, c] @source torch.select */
export function select(x: Tensor, axis: number, index: number): Tensor {
  const at = normalizeAxis("select", axis, x.numDims);
  const start = index < 0 ? index + x.shape[at]! : index;
  return reshape(narrow(x, at, start, 1), x.shape.toSpliced(at, 1));
}
