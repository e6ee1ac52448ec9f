/** @file permute, transpose: views with dims in another order. */
import { ShapeError } from "../errors.js";
import { contiguousStrides, formatShape, normalizeAxis, numElements } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { defineView, type ViewOp } from "./apply.js";
import type { ReferenceArray } from "./contract.js";
import { normal } from "./samples.js";

export interface PermuteAttrs {
  readonly axes: readonly number[];
}

export const permuteOp: ViewOp<PermuteAttrs> = defineView<PermuteAttrs>({
  name: "permute",
  layoutRule: ({ offset, shape, strides }, { axes }) => {
    if (
      axes.length !== shape.length ||
      new Set(axes).size !== axes.length ||
      axes.some((a) => a < 0 || a >= shape.length)
    ) {
      throw new ShapeError(
        `permute: axes are ${formatShape(axes)}, but the tensor is ${formatShape(shape)}; axes must name each of its ${shape.length} dims once.`,
        { axes, shape },
      );
    }
    return [{ offset, shape: axes.map((a) => shape[a]!), strides: axes.map((a) => strides[a]!) }];
  },
  reference: ([x], { axes }) => [permuteReference(x!, axes)],
  vjp: {
    pull: ({ attrs: { axes } }, dOut) => {
      const inverse = new Array<number>(axes.length);
      axes.forEach((axis, i) => {
        inverse[axis] = i;
      });
      return permuteOp.apply(dOut, { axes: inverse });
    },
  },
  samples: [
    { name: "matrix", inputs: [normal([3, 5])], attrs: { axes: [1, 0] } },
    { name: "rotation of three", inputs: [normal([2, 3, 4])], attrs: { axes: [2, 0, 1] } },
    { name: "heads", inputs: [normal([2, 3, 4, 5])], attrs: { axes: [0, 2, 1, 3] } },
  ],
});

function permuteReference(x: ReferenceArray, axes: readonly number[]): ReferenceArray {
  const shape = axes.map((a) => x.shape[a]!);
  const sourceStrides = contiguousStrides(x.shape);
  const steps = contiguousStrides(shape);
  const values = Float64Array.from({ length: numElements(shape) }, (_, i) => {
    let place = 0;
    axes.forEach((axis, k) => {
      place += (Math.floor(i / steps[k]!) % shape[k]!) * sourceStrides[axis]!;
    });
    return x.values[place]!;
  });
  return { shape, values };
}

/** Dims in the order `axes`. A view. @shape [a, b, c], axes [2, 0, 1] -> [c, a, b] @source torch.permute */
export function permute(x: Tensor, axes: readonly number[]): Tensor {
  return permuteOp.apply(x, { axes: axes.map((axis) => normalizeAxis("permute", axis, x.numDims)) })[0]!;
}

/** Swaps two dims, by default the last two. A view. @shape [..., a, b] -> [..., b, a] @source torch.transpose */
export function transpose(x: Tensor, axis0 = -2, axis1 = -1): Tensor {
  const a = normalizeAxis("transpose", axis0, x.numDims);
  const b = normalizeAxis("transpose", axis1, x.numDims);
  const axes = x.shape.map((_, i) => (i === a ? b : i === b ? a : i));
  return permuteOp.apply(x, { axes })[0]!;
}
