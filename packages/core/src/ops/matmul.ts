/** @file matmul: batched matrix product. Legend: M rows, K reduction, N columns. */
import { DTypeError, ShapeError } from "../errors.js";
import { broadcastShapes, formatShape, numElements, type Shape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { defineStructural, type StructuralOp } from "./apply.js";
import type { ReferenceArray, TensorSpec } from "./contract.js";
import { contiguous } from "./copy.js";
import { broadcastView } from "./elementwise-kernel.js";
import { sumTo } from "./expand-sum.js";
import { transpose } from "./permute.js";
import { broadcastReference } from "./reference-arrays.js";
import { reshape } from "./reshape.js";
import { normal } from "./samples.js";

export const matmulOp: StructuralOp<undefined> = defineStructural<undefined>({
  name: "matmul",
  layout: "unitRow",
  shapeRule: ([a, b]) => [{ shape: productShape(a!, b!), dtype: "f32" }],
  reference: ([a, b]) => [matmulReference(a!, b!)],
  run: (backend, [a, b], [out]) => {
    const batch = out!.shape.slice(0, -2);
    const view = (x: Tensor) =>
      x.numDims === 2 && batch.length === 0 ? x : broadcastView(x, [...batch, ...x.shape.slice(-2)]);
    backend.kernels.matmul(view(a!), view(b!), out!, {});
  },
  vjp: {
    saves: { inputs: [0, 1] },
    pull: ({ inputs: [a, b], inputShapes, needs }, dOut) => [
      needs[0] ? sumTo(matmulOp.apply([dOut, transpose(b!)], undefined)[0]!, inputShapes[0]!) : undefined,
      needs[1] ? sumTo(matmulOp.apply([transpose(a!), dOut], undefined)[0]!, inputShapes[1]!) : undefined,
    ],
  },
  reductionLength: ([a]) => a![a!.length - 1]!,
  samples: [
    { name: "odd sizes", inputs: [normal([5, 7]), normal([7, 3])], attrs: undefined },
    { name: "one tile", inputs: [normal([4, 8]), normal([8, 8])], attrs: undefined },
    {
      name: "larger than a tile, odd rest",
      inputs: [normal([37, 131]), normal([131, 53])],
      attrs: undefined,
      checkVjp: false,
    },
    { name: "row times column", inputs: [normal([1, 33]), normal([33, 1])], attrs: undefined },
    { name: "column times row", inputs: [normal([9, 1]), normal([1, 11])], attrs: undefined },
    { name: "batched", inputs: [normal([3, 4, 5]), normal([3, 5, 6])], attrs: undefined },
    { name: "batch broadcast both ways", inputs: [normal([2, 1, 3, 4]), normal([3, 4, 2])], attrs: undefined },
    { name: "empty rows", inputs: [normal([0, 4]), normal([4, 3])], attrs: undefined },
    { name: "empty reduction", inputs: [normal([2, 0]), normal([0, 3])], attrs: undefined },
  ],
});

function productShape(a: TensorSpec, b: TensorSpec): Shape {
  if (a.dtype !== "f32" || b.dtype !== "f32") {
    throw new DTypeError(`matmul: a is ${a.dtype} and b is ${b.dtype}; both must be f32. Use cast("f32").`, {
      a: a.dtype,
      b: b.dtype,
    });
  }
  const [m, k] = a.shape.slice(-2);
  const [k2, n] = b.shape.slice(-2);
  if (a.shape.length < 2 || b.shape.length < 2 || k !== k2) {
    throw new ShapeError(
      `matmul: a is ${formatShape(a.shape)} and b is ${formatShape(b.shape)}; the last dim of a must be the last but one of b.`,
      { a: a.shape, b: b.shape },
    );
  }
  return [...broadcastShapes("matmul", a.shape.slice(0, -2), b.shape.slice(0, -2)), m!, n!];
}

function matmulReference(a: ReferenceArray, b: ReferenceArray): ReferenceArray {
  const shape = productShape({ shape: a.shape, dtype: "f32" }, { shape: b.shape, dtype: "f32" });
  const batch = shape.slice(0, -2);
  const [m, k] = a.shape.slice(-2) as [number, number];
  const n = b.shape[b.shape.length - 1]!;
  const left = broadcastReference(a, [...batch, m, k]).values;
  const right = broadcastReference(b, [...batch, k, n]).values;
  const values = new Float64Array(numElements(shape));
  for (let index = 0; index < values.length; index++) {
    const column = index % n;
    const row = Math.floor(index / n);
    const matrix = Math.floor(row / m);
    for (let i = 0; i < k; i++) values[index]! += left[row * k + i]! * right[(matrix * k + i) * n + column]!;
  }
  return { shape, values };
}

/**
 * Matrix product over the last two dims, batch dims broadcast; a 1-d operand is a row (left) or a column (right).
 *
 * Transposed operands cost no copy. A 2-d right operand takes all rows of the left one at once.
 * @shape a [..., M, K], b [..., K, N] -> [..., M, N]
 * @numerics One f32 accumulator per element over ascending k.
 * @throws {ShapeError} E_SHAPE when K differs or batch dims do not broadcast; {DTypeError} E_DTYPE unless both are f32.
 * @source torch.matmul
 */
export function matmul(a: Tensor, b: Tensor): Tensor {
  if (a.numDims === 1 && b.numDims >= 1) return dropDim(matmul(reshape(a, [1, a.size]), b), b.numDims === 1 ? -1 : -2);
  if (b.numDims === 1) return dropDim(matmul(a, reshape(b, [b.size, 1])), -1);
  if (a.numDims > 2 && b.numDims === 2) {
    const rows = a.isContiguous ? a : contiguous(a);
    const flat = matmulOp.apply([reshape(rows, [-1, a.shape[a.numDims - 1]!]), b], undefined)[0]!;
    return reshape(flat, [...a.shape.slice(0, -1), b.shape[1]!]);
  }
  return matmulOp.apply([a, b], undefined)[0]!;
}

function dropDim(x: Tensor, axis: -1 | -2): Tensor {
  return reshape(x, x.shape.toSpliced(axis, 1));
}
