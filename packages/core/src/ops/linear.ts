/** @file linear: x W^T + b in one kernel. Legend: N flattened rows, K inputs, O outputs. */
import type { TensorView } from "../backend/backend.js";
import { DTypeError, ShapeError } from "../errors.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { defineStructural } from "./apply.js";
import { add } from "./arithmetic.js";
import type { ReferenceArray, TensorSpec } from "./contract.js";
import { sum } from "./expand-sum.js";
import { matmul } from "./matmul.js";
import { transpose } from "./permute.js";
import { referenceFrom } from "./reference-arrays.js";
import { reshape } from "./reshape.js";
import { normal } from "./samples.js";

/** Inputs x [N, K], weight [O, K] and perhaps bias [O]. */
export const linearOp = defineStructural<unknown>({
  name: "linear",
  layout: "unitRow",
  shapeRule: (inputs) => {
    checkLinear(inputs);
    return [{ shape: [inputs[0]!.shape[0]!, inputs[1]!.shape[0]!], dtype: "f32" }];
  },
  reference: ([x, weight, bias]) => [linearReference(x!, weight!, bias)],
  run: (backend, [x, weight, bias], [out]) => {
    backend.kernels.matmul(x!, transposedWeight(weight!), out!, bias === undefined ? {} : { bias });
  },
  vjp: {
    saves: { inputs: [0, 1] },
    pull: ({ inputs: [x, weight], needs }, dOut) =>
      [
        needs[0] ? matmul(dOut, weight!) : undefined, // [N, K]
        needs[1] ? matmul(transpose(dOut), x!) : undefined, // [O, K]
        needs[2] ? sum(dOut, 0) : undefined, // [O]
      ].slice(0, needs.length),
  },
  reductionLength: ([x]) => x![1]!,
  composite: ([x, weight, bias]) => {
    const product = matmul(x!, transpose(weight!));
    return [bias === undefined ? product : add(product, bias)];
  },
  samples: [
    { name: "with bias, odd sizes", inputs: [normal([7, 5]), normal([3, 5]), normal([3])], attrs: undefined },
    { name: "without bias", inputs: [normal([4, 9]), normal([17, 9])], attrs: undefined },
    {
      name: "larger than a tile",
      inputs: [normal([67, 130]), normal([45, 130]), normal([45])],
      attrs: undefined,
      checkVjp: false,
    },
    { name: "no rows", inputs: [normal([0, 4]), normal([3, 4]), normal([3])], attrs: undefined },
  ],
});

function checkLinear(inputs: readonly TensorSpec[]): void {
  const [x, weight, bias] = inputs;
  if (inputs.some((input) => input.dtype !== "f32")) {
    throw new DTypeError(
      `linear: dtypes are ${inputs.map((i) => i.dtype).join(", ")}; all must be f32. Use cast("f32").`,
      {},
    );
  }
  if (weight!.shape.length !== 2 || x!.shape[1] !== weight!.shape[1]) {
    throw new ShapeError(
      `linear: x has ${x!.shape[1]} features (last dim), but weight is ${formatShape(weight!.shape)}; weight must be [outputs, ${x!.shape[1]}].`,
      { x: x!.shape, weight: weight!.shape },
    );
  }
  if (bias !== undefined && (bias.shape.length !== 1 || bias.shape[0] !== weight!.shape[0])) {
    throw new ShapeError(
      `linear: bias is ${formatShape(bias.shape)}, but weight is ${formatShape(weight!.shape)}; bias must be [${weight!.shape[0]}].`,
      { bias: bias.shape, weight: weight!.shape },
    );
  }
}

function linearReference(x: ReferenceArray, weight: ReferenceArray, bias: ReferenceArray | undefined): ReferenceArray {
  const [numRows, K] = x.shape as [number, number];
  const numOutputs = weight.shape[0]!;
  return referenceFrom([numRows, numOutputs], (index) => {
    const row = Math.floor(index / numOutputs);
    const output = index % numOutputs;
    let total = bias?.values[output] ?? 0;
    for (let k = 0; k < K; k++) total += x.values[row * K + k]! * weight.values[output * K + k]!;
    return total;
  });
}

/**
 * x W^T + bias, as a layer stores its weight.
 * @shape x [..., K], weight [O, K], bias [O] -> [..., O]
 * @throws {ShapeError} E_SHAPE, {DTypeError} E_DTYPE
 * @source torch.nn.functional.linear
 */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const rows = asRows(x);
  return asRowsOf(x, linearOp.apply(bias === undefined ? [rows, weight] : [rows, weight, bias], undefined)[0]!);
}

/** [O, K] read as [K, O]. */
export function transposedWeight({ buffer, offset, shape, strides, dtype }: TensorView): TensorView {
  return { buffer, offset, dtype, shape: [shape[1]!, shape[0]!], strides: [strides[1]!, strides[0]!] };
}

/** x [..., K] as [N, K]. @throws {ShapeError} E_SHAPE for a scalar. */
export function asRows(x: Tensor): Tensor {
  if (x.numDims === 0) throw new ShapeError("linear: x is a scalar; it must have at least one dim.", { x: x.shape });
  return x.numDims === 2 ? x : reshape(x, [numRows(x), x.shape[x.numDims - 1]!]);
}

/** [N, O] in the dims that x has before its last. */
export function asRowsOf(x: Tensor, rows: Tensor): Tensor {
  return x.numDims === 2 ? rows : reshape(rows, [...x.shape.slice(0, -1), rows.shape[1]!]);
}

function numRows(x: Tensor): number {
  return x.shape.slice(0, -1).reduce((product, size) => product * size, 1);
}
