/** @file Extremes and moments along axes. `sum` stands in expand-sum.ts. */
import { DTypeError, ShapeError } from "../errors.js";
import { formatShape, normalizeAxis, numElements } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { defineStructural, type StructuralOp } from "./apply.js";
import { div, square, sub } from "./arithmetic.js";
import { type AxisAttrs, axisViewOf, reducedShape, reduceReference } from "./axis.js";
import { cast } from "./compare.js";
import type { Sample, TensorSpec } from "./contract.js";
import { keptShape, mergeAxes, normalizeAxes, type ReduceOptions, sum } from "./expand-sum.js";
import { scatterAddOp } from "./gather.js";
import { reshape } from "./reshape.js";
import { f32Values, integers, normal } from "./samples.js";

const samples: readonly Sample<AxisAttrs>[] = [
  { name: "rows of odd width", inputs: [normal([5, 37])], attrs: { axis: 1 } },
  { name: "columns", inputs: [normal([33, 7])], attrs: { axis: 0 } },
  { name: "middle", inputs: [normal([3, 9, 5])], attrs: { axis: 1 } },
  { name: "longer than a block", inputs: [normal([2, 5000])], attrs: { axis: 1 }, checkVjp: false },
];

const integerSamples: readonly Sample<AxisAttrs>[] = [
  { name: "integers", inputs: [integers([5, 37], -99, 99)], attrs: { axis: 1 } },
  { name: "columns of integers", inputs: [integers([33, 7], -9, 9)], attrs: { axis: 0 } },
];

function extreme(name: "max" | "min"): StructuralOp<AxisAttrs> {
  const pick = name === "max" ? Math.max : Math.min;
  return defineStructural<AxisAttrs>({
    name,
    shapeRule: ([x], { axis }) => [{ shape: checkedShape(name, x!, axis), dtype: x!.dtype }],
    reference: ([x], { axis }) => [reduceReference(x!, axis, (values) => values.reduce((a, b) => pick(a, b)))],
    run: ({ kernels }, [x], [out], { axis }) => {
      const view = axisViewOf(x!.shape, axis);
      if (x!.dtype === "f32") kernels.reduce(name, x!, view, out!);
      else kernels.reduceIntegers(name, x!, view, out!);
    },
    vjp: {
      saves: { inputs: [0] },
      pull: ({ inputs: [x], attrs: { axis } }, dOut) => {
        const kept = keptShape(x!.shape, [axis]);
        const places = (name === "max" ? argMaxOp : argMinOp).apply([x!], { axis })[0]!;
        return scatterAddOp.apply([reshape(places, kept), reshape(dOut, kept)], { axis, size: x!.shape[axis]! });
      },
    },
    samples: [...samples, ...integerSamples],
  });
}

function argExtreme(name: "argMax" | "argMin"): StructuralOp<AxisAttrs> {
  const isBetter = (a: number, b: number) => (name === "argMax" ? a > b : a < b);
  return defineStructural<AxisAttrs>({
    name,
    shapeRule: ([x], { axis }) => [{ shape: checkedShape(name, x!, axis), dtype: "i32" }],
    reference: ([x], { axis }) => [
      reduceReference(x!, axis, (values) =>
        values.reduce((best, value, i) => (isBetter(value, values[best]!) ? i : best), 0),
      ),
    ],
    run: ({ kernels }, [x], [out], { axis }) => {
      const view = axisViewOf(x!.shape, axis);
      if (x!.dtype === "f32") kernels.argReduce(name, x!, view, out!);
      else kernels.reduceIntegers(name, x!, view, out!);
    },
    vjp: { notDifferentiable: "its values are indices" },
    samples: [
      ...samples,
      ...integerSamples,
      { name: "ties take the first", inputs: [f32Values([1, 3, 3, 1, -2, -2], [2, 3])], attrs: { axis: 1 } },
    ],
  });
}

export const argMaxOp = argExtreme("argMax");
export const argMinOp = argExtreme("argMin");
export const maxOp = extreme("max");
export const minOp = extreme("min");

function checkedShape(where: string, x: TensorSpec, axis: number): number[] {
  if (x.shape[axis] === 0) {
    throw new ShapeError(`${where}: x is ${formatShape(x.shape)}; axis ${axis} must not be empty.`, {
      x: x.shape,
      axis,
    });
  }
  return reducedShape(x.shape, axis);
}

function overAxes(
  op: StructuralOp<AxisAttrs>,
  x: Tensor,
  { axis, keepDims }: ReduceOptions & { readonly axis: number | readonly number[] | undefined },
): Tensor {
  const axes = normalizeAxes(op.name, axis, x.numDims);
  if (axes.length === 0) return x;
  const merged = mergeAxes(x, axes);
  const out = op.apply([merged.x], { axis: merged.axis })[0]!;
  return keepDims ? reshape(out, keptShape(x.shape, axes)) : out;
}

/** Largest element; NaN if there is one. The first of several gets the gradient. @shape [a, b], axis 1 -> [a] @source torch.max */
export function max(x: Tensor, axis?: number | readonly number[], options: ReduceOptions = {}): Tensor {
  return overAxes(maxOp, x, { axis, ...options });
}
/** Smallest element; NaN if there is one. The first of several gets the gradient. @shape [a, b], axis 1 -> [a] @source torch.min */
export function min(x: Tensor, axis?: number | readonly number[], options: ReduceOptions = {}): Tensor {
  return overAxes(minOp, x, { axis, ...options });
}
/** First index of the largest element, i32; over all elements without an axis. @shape [a, b], axis 1 -> [a] @source torch.argmax */
export function argMax(x: Tensor, axis?: number): Tensor {
  return argOver(argMaxOp, x, axis);
}
/** First index of the smallest element, i32; over all elements without an axis. @shape [a, b], axis 1 -> [a] @source torch.argmin */
export function argMin(x: Tensor, axis?: number): Tensor {
  return argOver(argMinOp, x, axis);
}

function argOver(op: StructuralOp<AxisAttrs>, x: Tensor, axis: number | undefined): Tensor {
  if (axis === undefined) return op.apply([reshape(x, [-1])], { axis: 0 })[0]!;
  return op.apply([x], { axis: normalizeAxis(op.name, axis, x.numDims) })[0]!;
}

/** sum / count; of a mask the share that is true. @shape as sum @throws {ShapeError} E_SHAPE when there is nothing to average; {DTypeError} E_DTYPE for i32. @source torch.mean */
export function mean(x: Tensor, axis?: number | readonly number[], options: ReduceOptions = {}): Tensor {
  const axes = normalizeAxes("mean", axis, x.numDims);
  const count = numElements(axes.map((a) => x.shape[a]!));
  if (count === 0)
    throw new ShapeError(`mean: x is ${formatShape(x.shape)}; the axes must not be empty.`, { x: x.shape, axes });
  if (x.dtype === "i32")
    throw new DTypeError(`mean: x is i32; it must be f32, u8 or bool. Use cast("f32").`, { x: x.dtype });
  return div(cast(sum(x, axes, options), "f32"), count);
}

export interface VarianceOptions extends ReduceOptions {
  /** The sum of squares is divided by count - correction. Default 1. */
  readonly correction?: number;
}

/** Mean squared distance from the mean, in two passes. @shape as sum @source torch.var, with the same default correction */
export function variance(x: Tensor, axis?: number | readonly number[], options: VarianceOptions = {}): Tensor {
  const axes = normalizeAxes("variance", axis, x.numDims);
  const count = numElements(axes.map((a) => x.shape[a]!));
  const centred = sub(x, mean(x, axes, { keepDims: true }));
  return div(sum(square(centred), axes, options), count - (options.correction ?? 1));
}
