/** @file crossEntropy of each row against an integer target, fused with the log-softmax. Legend: N rows, V classes. */
import { DTypeError, ShapeError } from "../errors.js";
import { hostExp, hostLog } from "../expr/host-math.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { defineStructural } from "./apply.js";
import { neg } from "./arithmetic.js";
import { asContiguous, runBackwardKernel } from "./backward-kernel.js";
import { ne, where } from "./compare.js";
import type { ReferenceArray, TensorSpec } from "./contract.js";
import { gather } from "./gather.js";
import { checkIndices } from "./index-range.js";
import { reshape } from "./reshape.js";
import { i32Values, integers, normal } from "./samples.js";
import { logSoftmax } from "./softmax.js";

export interface CrossEntropyAttrs {
  readonly ignoreIndex: number;
}

/** Inputs logits [N, V], targets [N] i32; outputs the loss of each row and, for the vjp, its logSumExp. */
export const crossEntropyOp = defineStructural<CrossEntropyAttrs>({
  name: "crossEntropy",
  numVisible: 1,
  shapeRule: ([logits, targets]) => {
    checkCrossEntropy(logits!, targets!);
    const rows: TensorSpec = { shape: targets!.shape, dtype: "f32", fidelity: "exact" };
    return [rows, rows];
  },
  reference: ([logits, targets], attrs) => crossEntropyReference(logits!, targets!, attrs),
  run: (backend, [logits, targets], [loss, lse], { ignoreIndex }) =>
    backend.kernels.crossEntropy(logits!, targets!, ignoreIndex, { loss: loss!, lse: lse! }),
  vjp: {
    saves: { inputs: [0, 1], outputs: [1] },
    pull: ({ inputs: [logits, targets], outputs: [, lse], attrs: { ignoreIndex } }, dOut) => {
      const dLoss = asContiguous(dOut);
      const [dLogits] = runBackwardKernel(
        "crossEntropyBackward",
        { inputs: [dLoss, logits!], outputs: [logits!] },
        (backend, [out]) =>
          backend.kernels.crossEntropyBackward(
            { dLoss, logits: logits!, targets: targets!, lse: lse! },
            ignoreIndex,
            out!,
          ),
      );
      return [dLogits, undefined];
    },
  },
  reductionLength: ([shape]) => shape![1]!,
  composite: ([logits, targets], { ignoreIndex }) => {
    const isKept = ne(targets!, ignoreIndex); // [N]
    const column = reshape(where(isKept, targets!, 0), [-1, 1]);
    const picked = reshape(gather(logSoftmax(logits!), 1, column), [-1]);
    return [where(isKept, neg(picked), 0)];
  },
  samples: [
    { name: "odd number of classes", inputs: [normal([5, 7]), integers([5], 0, 7)], attrs: { ignoreIndex: -100 } },
    { name: "ignored rows", inputs: [normal([4, 9]), i32Values([3, -100, 8, -100])], attrs: { ignoreIndex: -100 } },
    { name: "wider than a vector", inputs: [normal([3, 67]), integers([3], 0, 67)], attrs: { ignoreIndex: -100 } },
    {
      name: "mean far from zero",
      inputs: [normal([3, 33], 300, 1), integers([3], 0, 33)],
      attrs: { ignoreIndex: -100 },
    },
    {
      name: "many rows",
      inputs: [normal([130, 65], 0, 4), integers([130], 0, 65)],
      attrs: { ignoreIndex: -100 },
      checkVjp: false,
    },
  ],
});

function checkCrossEntropy(logits: TensorSpec, targets: TensorSpec): void {
  if (logits.dtype !== "f32" || targets.dtype !== "i32") {
    throw new DTypeError(
      `crossEntropy: logits are ${logits.dtype} and targets ${targets.dtype}; they must be f32 and i32.`,
      {
        logits: logits.dtype,
        targets: targets.dtype,
      },
    );
  }
  if (logits.shape.length !== 2 || targets.shape.length !== 1 || logits.shape[0] !== targets.shape[0]) {
    throw new ShapeError(
      `crossEntropy: logits are ${formatShape(logits.shape)} and targets ${formatShape(targets.shape)}; targets must have the leading dims of logits.`,
      { logits: logits.shape, targets: targets.shape },
    );
  }
}

function crossEntropyReference(
  logits: ReferenceArray,
  targets: ReferenceArray,
  { ignoreIndex }: CrossEntropyAttrs,
): readonly ReferenceArray[] {
  const width = logits.shape[1]!;
  const lse = targets.values.map((_, row) => {
    const values = logits.values.subarray(row * width, (row + 1) * width);
    const max = values.reduce((a, b) => Math.max(a, b), -Infinity);
    return max + hostLog(values.reduce((total, value) => total + hostExp(value - max), 0));
  });
  const loss = targets.values.map((target, row) =>
    target === ignoreIndex ? 0 : lse[row]! - logits.values[row * width + target]!,
  );
  return [
    { shape: targets.shape, values: loss },
    { shape: targets.shape, values: lse },
  ];
}

export interface RowLosses {
  /** [N]: 0 where the target is ignored. */
  readonly losses: Tensor;
  /** Rows that are not ignored. */
  readonly numKept: number;
}

/**
 * logSumExp(row) - row[target] for every row, and how many rows count.
 * @shape logits [..., V], targets [...] (i32, 0..V-1 or ignoreIndex) -> losses [N]
 * @throws {ShapeError} E_SHAPE; {ValueError} E_TARGET_RANGE with the first bad position.
 * @source torch.nn.functional.cross_entropy(reduction="none")
 */
export function crossEntropyRows(logits: Tensor, targets: Tensor, ignoreIndex = -100): RowLosses {
  if (logits.numDims !== targets.numDims + 1) {
    throw new ShapeError(
      `crossEntropy: logits are ${formatShape(logits.shape)} and targets ${formatShape(targets.shape)}; targets must have the leading dims of logits.`,
      { logits: logits.shape, targets: targets.shape },
    );
  }
  const numClasses = logits.shape[logits.numDims - 1]!;
  const flatTargets = reshape(targets, [-1]);
  const rows = logits.numDims === 2 ? logits : reshape(logits, [logits.size / numClasses, numClasses]);
  const check = { limit: numClasses, ignored: ignoreIndex, code: "E_TARGET_RANGE", what: "the target" };
  const numKept = flatTargets.dtype === "i32" ? checkIndices("crossEntropy", flatTargets, check) : 0;
  return { losses: crossEntropyOp.apply([rows, flatTargets], { ignoreIndex })[0]!, numKept };
}
