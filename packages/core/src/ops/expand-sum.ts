/** @file expand (a view that repeats) and sum (its vjp, and the other way round). */
import { ShapeError } from "../errors.js";
import {
  broadcastShapes,
  broadcastStrides,
  formatShape,
  normalizeAxis,
  type Shape,
  shapesEqual,
} from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { defineStructural, defineView } from "./apply.js";
import { type AxisAttrs, axisViewOf, reducedShape, reduceReference } from "./axis.js";
import { contiguous } from "./copy.js";
import { permute } from "./permute.js";
import { broadcastReference } from "./reference-arrays.js";
import { reshape } from "./reshape.js";
import { integers, normal } from "./samples.js";

export const expandOp = defineView<{ readonly shape: Shape }>({
  name: "expand",
  layoutRule: ({ offset, shape, strides }, attrs) => {
    if (!shapesEqual(broadcastShapes("expand", shape, attrs.shape), attrs.shape)) {
      throw new ShapeError(
        `expand: the tensor is ${formatShape(shape)}, the new shape ${formatShape(attrs.shape)}; only dims of size 1 and missing leading dims can grow.`,
        { from: shape, to: attrs.shape },
      );
    }
    return [{ offset, shape: attrs.shape, strides: broadcastStrides(shape, strides, attrs.shape) }];
  },
  reference: ([x], { shape }) => [broadcastReference(x!, shape)],
  vjp: { pull: ({ inputShapes }, dOut) => [sumTo(dOut, inputShapes[0]!)] },
  samples: [
    { name: "new leading dim", inputs: [normal([3])], attrs: { shape: [4, 3] } },
    { name: "stretch the middle", inputs: [normal([2, 1, 3])], attrs: { shape: [2, 5, 3] } },
    { name: "scalar", inputs: [normal([])], attrs: { shape: [2, 3] } },
  ],
});

/** Sum over the one axis of [outer, K, inner]. */
export const sumOp = defineStructural<AxisAttrs>({
  name: "sum",
  shapeRule: ([x], { axis }) => {
    // A sum outgrows its terms: where these are stored in 16 bits, it is not.
    const dtype = x!.dtype === "f32" ? "f32" : "i32";
    return [{ shape: reducedShape(x!.shape, axis), dtype, fidelity: "exact" }];
  },
  reference: ([x], { axis }) => [reduceReference(x!, axis, (values) => values.reduce((a, b) => a + b, 0))],
  run: ({ kernels }, [x], [out], { axis }) => {
    const view = axisViewOf(x!.shape, axis);
    if (x!.dtype === "f32") kernels.reduce("sum", x!, view, out!);
    else kernels.reduceIntegers("sum", x!, view, out!);
  },
  vjp: {
    pull: ({ inputShapes, attrs }, dOut) => {
      const shape = inputShapes[0]!;
      const kept = shape.map((size, i) => (i === attrs.axis ? 1 : size));
      return expandOp.apply(reshape(dOut, kept), { shape });
    },
  },
  reductionLength: ([shape], { axis }) => shape![axis]!,
  samples: [
    { name: "rows", inputs: [normal([3, 37])], attrs: { axis: 1 } },
    { name: "columns", inputs: [normal([130, 7])], attrs: { axis: 0 } },
    { name: "middle", inputs: [normal([3, 9, 5])], attrs: { axis: 1 } },
    { name: "longer than a block", inputs: [normal([2, 9001])], attrs: { axis: 1 }, checkVjp: false },
    { name: "mean far from zero", inputs: [normal([4, 300], 1000, 1)], attrs: { axis: 1 } },
    { name: "length zero", inputs: [normal([3, 0])], attrs: { axis: 1 } },
    { name: "length one", inputs: [normal([5, 1])], attrs: { axis: 1 } },
    { name: "integers", inputs: [integers([3, 37], -99, 99)], attrs: { axis: 1 } },
    { name: "columns of integers", inputs: [integers([37, 5], -99, 99)], attrs: { axis: 0 } },
  ],
});

export interface ReduceOptions {
  /** Leaves reduced dims with size 1. Default false. */
  readonly keepDims?: boolean;
}

/** Axes as a sorted list without repeats; undefined means all. */
export function normalizeAxes(where: string, axis: number | readonly number[] | undefined, numDims: number): number[] {
  if (axis === undefined) return Array.from({ length: numDims }, (_, i) => i);
  const list = (typeof axis === "number" ? [axis] : axis).map((a) => normalizeAxis(where, a, numDims));
  return [...new Set(list)].sort((a, b) => a - b);
}

/** `x` seen with all `axes` merged into one: [..., merged]; a view when they are adjacent and x is contiguous. */
export function mergeAxes(x: Tensor, axes: readonly number[]): { readonly x: Tensor; readonly axis: number } {
  const first = axes[0]!;
  if (axes.length === 1) return { x, axis: first };
  const isAdjacent = axes.every((axis, i) => axis === first + i);
  if (!isAdjacent) {
    const kept = x.shape.map((_, i) => i).filter((i) => !axes.includes(i));
    const moved = contiguous(permute(x, [...kept, ...axes]));
    return { x: reshape(moved, [...kept.map((i) => x.shape[i]!), -1]), axis: kept.length };
  }
  const merged = axes.reduce((product, axis) => product * x.shape[axis]!, 1);
  return { x: reshape(x, [...x.shape.slice(0, first), merged, ...x.shape.slice(first + axes.length)]), axis: first };
}

/**
 * Sum of elements over one axis, several, or all. Sums of i32, u8 and bool are i32, modulo 2^32: of a mask, how many are true.
 * @shape [a, b, c], axis 1 -> [a, c], or [a, 1, c] with keepDims
 * @numerics 16 virtual lanes, blocks of 4,096, a fixed tree: the order depends on the shape alone.
 * @source torch.sum
 */
export function sum(x: Tensor, axis?: number | readonly number[], options: ReduceOptions = {}): Tensor {
  const axes = normalizeAxes("sum", axis, x.numDims);
  if (axes.length === 0) {
    // Over no axis: each element is its own sum, of the dtype that sums have.
    if (x.dtype === "f32" || x.dtype === "i32") return x;
    return sumOp.apply([reshape(x, [...x.shape, 1])], { axis: x.numDims })[0]!;
  }
  const merged = mergeAxes(x, axes);
  const out = sumOp.apply([merged.x], { axis: merged.axis })[0]!;
  return options.keepDims ? reshape(out, keptShape(x.shape, axes)) : out;
}

export function keptShape(shape: Shape, axes: readonly number[]): number[] {
  return shape.map((size, i) => (axes.includes(i) ? 1 : size));
}

/** Undoes a broadcast: sums `x` over every dim in which `shape` was stretched. @shape any -> shape @source none: ours */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  if (shapesEqual(x.shape, shape)) return x;
  const lead = x.numDims - shape.length;
  const axes = x.shape.map((_, i) => i).filter((i) => i < lead || (shape[i - lead] === 1 && x.shape[i] !== 1));
  const out = axes.length === 0 ? x : sum(x, axes);
  return reshape(out, shape);
}

/** Repeats dims of size 1 up to `shape`, without a copy. @shape [a, 1] -> [a, b] @source torch.expand (numpy.broadcast_to) */
export function expand(x: Tensor, shape: Shape): Tensor {
  return expandOp.apply(x, { shape })[0]!;
}
