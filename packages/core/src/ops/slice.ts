/** @file slice (a view), its vjp unslice (a scatter into zeros), and setSlice, which writes into a window. */
import { DTypeError, ShapeError } from "../errors.js";
import { zerosLike } from "../tensor/create.js";
import { contiguousStrides, formatShape, normalizeAxis, type Shape, shapesEqual } from "../tensor/shape.js";
import type { Layout, Tensor } from "../tensor/tensor.js";
import { defineStructural, defineView, type StructuralOp, type ViewOp } from "./apply.js";
import { flipOp } from "./flip.js";
import { referenceFrom } from "./reference-arrays.js";
import { reshape } from "./reshape.js";
import { normal } from "./samples.js";
import { backwardAxes, boundsOf, type SliceAttrs, type SliceRange, windowAttrs } from "./slice-range.js";

export interface UnsliceAttrs extends SliceAttrs {
  /** Of the tensor that was sliced. */
  readonly shape: Shape;
  /** What stands outside of the window. Default 0. */
  readonly outside?: number;
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

/** Zeros (or `outside`) of `shape` with the input written into the window. */
export const unsliceOp: StructuralOp<UnsliceAttrs> = defineStructural<UnsliceAttrs>({
  name: "unslice",
  layout: "any",
  shapeRule: ([x], { shape }) => [{ shape, dtype: x!.dtype }],
  reference: ([x], attrs) => {
    const out = referenceFrom(attrs.shape, () => attrs.outside ?? 0);
    placesOf(attrs.shape, attrs).forEach((place, i) => {
      out.values[place] = x!.values[i]!;
    });
    return [out];
  },
  run: (backend, [x], [out], attrs) => {
    backend.kernels.fill(out!, attrs.outside ?? 0);
    backend.kernels.copy(x!, { buffer: out!.buffer, dtype: out!.dtype, ...windowOf(out!, attrs) });
  },
  vjp: { pull: ({ attrs: { starts, sizes, steps } }, dOut) => sliceOp.apply(dOut, { starts, sizes, steps }) },
  samples: [
    { name: "steps of two", inputs: [normal([2, 3])], attrs: { ...odd, shape: [4, 7] } },
    { name: "another number outside", inputs: [normal([2, 3])], attrs: { ...odd, shape: [4, 7], outside: -1.5 } },
  ],
});

/** Inputs x, and source of the window's shape: x with the source written into the window. */
export const setSliceOp: StructuralOp<SliceAttrs> = defineStructural<SliceAttrs>({
  name: "setSlice",
  layout: "any",
  shapeRule: ([x, source], { sizes }) => {
    if (source!.dtype !== x!.dtype) {
      throw new DTypeError(
        `setSlice: x is ${x!.dtype} and the values are ${source!.dtype}; both must be the same. Use cast("${x!.dtype}").`,
        { x: x!.dtype, source: source!.dtype },
      );
    }
    if (!shapesEqual(source!.shape, sizes)) {
      throw new ShapeError(
        `setSlice: the window is ${formatShape(sizes)} and the values are ${formatShape(source!.shape)}; they must be equal.`,
        { window: sizes, source: source!.shape },
      );
    }
    return [x!];
  },
  reference: ([x, source], attrs) => {
    const out = { shape: x!.shape, values: x!.values.slice() };
    placesOf(x!.shape, attrs).forEach((place, i) => {
      out.values[place] = source!.values[i]!;
    });
    return [out];
  },
  run: (backend, [x, source], [out], attrs) => {
    backend.kernels.copy(x!, out!);
    backend.kernels.copy(source!, { buffer: out!.buffer, dtype: out!.dtype, ...windowOf(out!, attrs) });
  },
  vjp: {
    pull: ({ inputShapes, attrs, needs }, dOut) => {
      const zeros = zerosLike({ shape: inputShapes[1]!, dtype: "f32", backend: dOut.backend });
      return [
        needs[0] ? setSliceOp.apply([dOut, zeros], attrs)[0] : undefined,
        needs[1] ? sliceOp.apply(dOut, attrs)[0] : undefined,
      ];
    },
  },
  samples: [
    { name: "steps of two", inputs: [normal([4, 7]), normal([2, 3])], attrs: odd },
    { name: "middle of a vector", inputs: [normal([37]), normal([9])], attrs: { starts: [3], sizes: [9], steps: [1] } },
    { name: "nothing", inputs: [normal([4]), normal([0])], attrs: { starts: [2], sizes: [0], steps: [1] } },
    { name: "scalar", inputs: [normal([]), normal([])], attrs: { starts: [], sizes: [], steps: [] } },
  ],
});

/**
 * A window: one range for each leading dim, `null` for a whole dim. A view, which costs nothing; a copy where a step is negative.
 * @shape [a, b], ranges [{ start: 1, stop: 3 }] -> [2, b]
 * @throws {ValueError} E_VALUE for a step of 0; {ShapeError} E_SHAPE for more ranges than dims.
 * @source numpy basic slicing
 * @example
 * tensor([0, 1, 2, 3, 4, 5]).slice([{ start: 1, step: 2 }]).toArraySync(); // => [1, 3, 5]
 * tensor([0, 1, 2, 3, 4, 5]).slice([{ stop: 2, step: -1 }]).toArraySync(); // => [5, 4, 3]
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
  const bounds = x.shape.map((size, axis) => boundsOf("slice", size, ranges[axis] ?? {}));
  const window = sliceOp.apply(x, windowAttrs(bounds))[0]!;
  const axes = backwardAxes(bounds);
  return axes.length === 0 ? window : flipOp.apply([window], { axes })[0]!;
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
