/** @file searchSorted: where values would go in sorted rows. */
import { DTypeError, ShapeError } from "../errors.js";
import { formatShape, numElements, shapesEqual } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { defineStructural, type StructuralOp } from "./apply.js";
import type { TensorSpec } from "./contract.js";
import { referenceFrom } from "./reference-arrays.js";
import { reshape } from "./reshape.js";
import { f32Values, i32Values, normal } from "./samples.js";

export interface SearchAttrs {
  readonly isRight: boolean;
}

const steps = f32Values([-1, 0, 0, 0.5, 2]);

/** Inputs sorted [N, K], values [N, M] of one dtype -> [N, M] i32. */
export const searchSortedOp: StructuralOp<SearchAttrs> = defineStructural<SearchAttrs>({
  name: "searchSorted",
  shapeRule: ([sorted, values]) => [{ shape: checkedShape(sorted!, values!), dtype: "i32" }],
  reference: ([sorted, values], { isRight }) => {
    const length = sorted!.shape[1]!;
    const width = values!.shape[1]!;
    return [
      referenceFrom(values!.shape, (i) => {
        const start = Math.floor(i / width) * length;
        const value = values!.values[i]!;
        const row = sorted!.values.subarray(start, start + length);
        return row.filter((element) => (isRight ? element <= value : element < value)).length;
      }),
    ];
  },
  run: (backend, [sorted, values], [out], { isRight }) => backend.kernels.searchSorted(sorted!, values!, isRight, out!),
  vjp: { notDifferentiable: "its values are indices" },
  samples: [
    {
      name: "left, with ties",
      inputs: [{ ...steps, shape: [1, 5] }, f32Values([-2, -1, 0, 0.25, 2, 3], [1, 6])],
      attrs: { isRight: false },
    },
    {
      name: "right, with ties",
      inputs: [{ ...steps, shape: [1, 5] }, f32Values([-2, -1, 0, 0.25, 2, 3], [1, 6])],
      attrs: { isRight: true },
    },
    {
      name: "two rows of integers",
      inputs: [i32Values([1, 2, 3, 10, 20, 30], [2, 3]), i32Values([3, 3], [2, 1])],
      attrs: { isRight: false },
    },
    { name: "nothing to search in", inputs: [normal([2, 0]), normal([2, 3])], attrs: { isRight: false } },
  ],
});

function checkedShape(sorted: TensorSpec, values: TensorSpec): readonly number[] {
  if (sorted.dtype !== values.dtype) {
    throw new DTypeError(
      `searchSorted: sorted is ${sorted.dtype} and the values are ${values.dtype}; both must be the same. Use cast("${sorted.dtype}").`,
      { sorted: sorted.dtype, values: values.dtype },
    );
  }
  if (sorted.shape.length !== 2 || values.shape.length !== 2 || sorted.shape[0] !== values.shape[0]) {
    throw new ShapeError(
      `searchSorted: sorted is ${formatShape(sorted.shape)} and the values are ${formatShape(values.shape)}; sorted must have one dim, or both the same dims but for the last.`,
      { sorted: sorted.shape, values: values.shape },
    );
  }
  return values.shape;
}

export interface SearchSortedOptions {
  /** Behind equal elements instead of before them. Default false. */
  readonly right?: boolean;
}

/**
 * How many elements of `sorted` are below each value: where it would go in to keep the order. With `right`, how many are not above it.
 * `sorted` must be ascending, which is not checked.
 * @shape sorted [K], values [...] -> [...], i32; or sorted [a, K], values [a, M] -> [a, M]
 * @throws {DTypeError} E_DTYPE when the dtypes differ; {ShapeError} E_SHAPE
 * @source torch.searchsorted, numpy.searchsorted
 * @example
 * searchSorted(tensor([1, 3, 5]), tensor([0, 3, 4, 9])).toArraySync(); // => [0, 1, 2, 3]
 */
export function searchSorted(sorted: Tensor, values: Tensor, { right = false }: SearchSortedOptions = {}): Tensor {
  const lead = sorted.shape.slice(0, -1);
  const fits = sorted.numDims === 1 || (sorted.numDims > 1 && shapesEqual(lead, values.shape.slice(0, -1)));
  if (!fits) checkedShape(sorted, values);
  const rows = numElements(lead);
  const width = sorted.numDims === 1 ? values.size : values.shape[values.numDims - 1]!;
  const out = searchSortedOp.apply(
    [reshape(sorted, [rows, sorted.shape[sorted.numDims - 1]!]), reshape(values, [rows, width])],
    { isRight: right },
  )[0]!;
  return reshape(out, values.shape);
}
