/** @file concat, stack, and split, the vjp of one another. */
import { DTypeError, ShapeError } from "../errors.js";
import { formatShape, normalizeAxis, numElements, type Shape, shapesEqual } from "../tensor/shape.js";
import type { Layout, Tensor } from "../tensor/tensor.js";
import { defineStructural, defineView, type StructuralOp, type ViewOp } from "./apply.js";
import { type AxisAttrs, axisViewOf } from "./axis.js";
import type { ReferenceArray, TensorSpec } from "./contract.js";
import { unsqueeze } from "./reshape.js";
import { normal } from "./samples.js";

export interface SplitAttrs extends AxisAttrs {
  readonly sizes: readonly number[];
}

/** Windows of `sizes`, one after the other along the axis. */
function windows({ offset, shape, strides }: Layout, { axis, sizes }: SplitAttrs): Layout[] {
  let start = 0;
  return sizes.map((size) => {
    const layout = { offset: offset + start * strides[axis]!, shape: shape.with(axis, size), strides };
    start += size;
    return layout;
  });
}

export const concatOp: StructuralOp<AxisAttrs> = defineStructural<AxisAttrs>({
  name: "concat",
  layout: "any",
  shapeRule: (inputs, { axis }) => [{ shape: concatShape(inputs, axis), dtype: inputs[0]!.dtype }],
  reference: (inputs, { axis }) => [concatReference(inputs, axis)],
  run: (backend, inputs, [out], { axis }) => {
    const parts = windows(out!, { axis, sizes: inputs.map((input) => input.shape[axis]!) });
    inputs.forEach((input, i) => {
      if (input.size > 0) backend.kernels.copy(input, { buffer: out!.buffer, dtype: out!.dtype, ...parts[i]! });
    });
  },
  vjp: {
    pull: ({ inputShapes, attrs: { axis } }, dOut) =>
      splitOp.apply(dOut, { axis, sizes: inputShapes.map((shape) => shape[axis]!) }),
  },
  samples: [
    { name: "rows", inputs: [normal([2, 5]), normal([3, 5])], attrs: { axis: 0 } },
    {
      name: "columns of odd widths, one empty",
      inputs: [normal([3, 2]), normal([3, 0]), normal([3, 7])],
      attrs: { axis: 1 },
    },
    { name: "middle of three", inputs: [normal([2, 1, 3]), normal([2, 4, 3])], attrs: { axis: 1 } },
  ],
});

export const splitOp: ViewOp<SplitAttrs> = defineView<SplitAttrs>({
  name: "split",
  layoutRule: (input, attrs) => windows(input, attrs),
  reference: ([x], attrs) => splitReference(x!, attrs),
  vjp: { pull: ({ attrs: { axis } }, ...cotangents) => concatOp.apply(cotangents, { axis }) },
  samples: [
    { name: "last axis in three", inputs: [normal([4, 9])], attrs: { axis: 1, sizes: [3, 3, 3] } },
    { name: "unequal rows", inputs: [normal([5, 3])], attrs: { axis: 0, sizes: [1, 4] } },
  ],
});

function concatShape(inputs: readonly TensorSpec[], axis: number): Shape {
  const first = inputs[0]!;
  inputs.forEach((input, i) => {
    if (input.dtype !== first.dtype) {
      throw new DTypeError(`concat: tensor ${i} is ${input.dtype}, tensor 0 is ${first.dtype}; all must be the same.`, {
        index: i,
      });
    }
    if (
      input.shape.length !== first.shape.length ||
      input.shape.some((size, k) => k !== axis && size !== first.shape[k])
    ) {
      throw new ShapeError(
        `concat: tensor ${i} is ${formatShape(input.shape)}, tensor 0 is ${formatShape(first.shape)}; all dims but axis ${axis} must be equal.`,
        { index: i, shape: input.shape, first: first.shape, axis },
      );
    }
  });
  return first.shape.with(
    axis,
    inputs.reduce((total, input) => total + input.shape[axis]!, 0),
  );
}

function concatReference(inputs: readonly ReferenceArray[], axis: number): ReferenceArray {
  const shape = concatShape(
    inputs.map(({ shape }) => ({ shape, dtype: "f32" })),
    axis,
  );
  const values = new Float64Array(numElements(shape));
  const { outer } = axisViewOf(shape, axis);
  let place = 0;
  for (let o = 0; o < outer; o++) {
    for (const input of inputs) {
      const length = input.values.length / outer;
      values.set(input.values.subarray(o * length, (o + 1) * length), place);
      place += length;
    }
  }
  return { shape, values };
}

function splitReference(x: ReferenceArray, { axis, sizes }: SplitAttrs): ReferenceArray[] {
  const { outer, inner, axisLength } = axisViewOf(x.shape, axis);
  let start = 0;
  return sizes.map((size) => {
    const parts: number[] = [];
    for (let o = 0; o < outer; o++) {
      const from = (o * axisLength + start) * inner;
      parts.push(...x.values.subarray(from, from + size * inner));
    }
    start += size;
    return { shape: x.shape.with(axis, size), values: Float64Array.from(parts) };
  });
}

/** Joins tensors along an existing axis. @shape [a, c], [b, c], axis 0 -> [a + b, c] @source torch.cat */
export function concat(tensors: readonly Tensor[], axis = 0): Tensor {
  if (tensors.length === 0) throw new ShapeError("concat: there are no tensors; at least one is needed.", {});
  return concatOp.apply(tensors, { axis: normalizeAxis("concat", axis, tensors[0]!.numDims) })[0]!;
}

/**
 * Joins tensors of one shape along a new axis.
 * @shape n of [a, b], axis 0 -> [n, a, b]
 * @throws {ShapeError} E_SHAPE when there are none, or their shapes differ.
 * @source torch.stack
 */
export function stack(tensors: readonly Tensor[], axis = 0): Tensor {
  if (tensors.length === 0) throw new ShapeError("stack: there are no tensors; at least one is needed.", {});
  const first = tensors[0]!.shape;
  const other = tensors.findIndex(({ shape }) => !shapesEqual(shape, first));
  if (other > 0) {
    throw new ShapeError(
      `stack: tensor ${other} is ${formatShape(tensors[other]!.shape)}, tensor 0 is ${formatShape(first)}; all shapes must be equal.`,
      { index: other, shape: tensors[other]!.shape, first },
    );
  }
  return concat(
    tensors.map((tensor) => unsqueeze(tensor, axis)),
    axis,
  );
}

/**
 * Cuts along an axis: into pieces of a size (the last may be shorter), or of the sizes given. Views.
 * @shape [a, 3b], split(b, 1) -> three of [a, b]
 * @throws {ShapeError} E_SHAPE when given sizes do not add up to the dim.
 * @source torch.split
 */
export function split(x: Tensor, sizes: number | readonly number[], axis = 0): readonly Tensor[] {
  const at = normalizeAxis("split", axis, x.numDims);
  const length = x.shape[at]!;
  const list = typeof sizes === "number" ? pieces(length, sizes) : sizes;
  const total = list.reduce((a, b) => a + b, 0);
  if (total !== length || list.some((size) => size < 0)) {
    throw new ShapeError(
      `split: sizes are ${formatShape(list)}, but dim ${axis} has size ${length}; they must add up to it.`,
      {
        sizes: list,
        length,
      },
    );
  }
  return splitOp.apply(x, { axis: at, sizes: list });
}

function pieces(length: number, size: number): number[] {
  if (!Number.isInteger(size) || size < 1)
    throw new ShapeError(`split: size is ${size}; it must be an integer of at least 1.`, { size });
  return Array.from({ length: Math.ceil(length / size) }, (_, i) => Math.min(size, length - i * size));
}

/**
 * Cuts along an axis into at most `count` pieces of one size, the last of which may be shorter. Views.
 * @shape [7, b], 3 -> [3, b], [3, b], [1, b]
 * @throws {ShapeError} E_SHAPE unless count is a whole number of at least 1.
 * @source torch.chunk (numpy.array_split makes pieces whose sizes differ by one)
 */
export function chunk(x: Tensor, count: number, axis = 0): readonly Tensor[] {
  const at = normalizeAxis("chunk", axis, x.numDims);
  if (!Number.isInteger(count) || count < 1) {
    throw new ShapeError(`chunk: count is ${count}; it must be a whole number of at least 1.`, { count });
  }
  return split(x, Math.max(1, Math.ceil(x.shape[at]! / count)), at);
}
