/** @file linearCrossEntropy: the last layer of a classifier and its cross-entropy in one, without the logits. Legend: N rows, C features, V classes. */
import { DTypeError, ShapeError } from "../errors.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { defineStructural } from "./apply.js";
import { add } from "./arithmetic.js";
import { asContiguous, runBackwardKernel } from "./backward-kernel.js";
import type { TensorSpec } from "./contract.js";
import { type CrossEntropyAttrs, crossEntropyOp, type RowLosses } from "./cross-entropy.js";
import { checkIndices } from "./index-range.js";
import { linearOp } from "./linear.js";
import { gradientsInChunks, type LogitChunks, type LogitLayer, logitChunks, lossesInChunks } from "./logit-chunks.js";
import { matmul } from "./matmul.js";
import { transpose } from "./permute.js";
import { reshape } from "./reshape.js";
import { i32Values, integers, normal } from "./samples.js";

export interface LinearCrossEntropyAttrs extends CrossEntropyAttrs {
  readonly chunks: LogitChunks;
}

const layerOf = ([x, weight, , bias]: readonly Tensor[]): LogitLayer => ({ x: x!, weight: weight!, bias });

/** Inputs x [N, C], weight [V, C], targets [N] i32 and perhaps bias [V]; outputs the loss of each row and, for the vjp, its logSumExp. */
export const linearCrossEntropyOp = defineStructural<LinearCrossEntropyAttrs>({
  name: "linearCrossEntropy",
  layout: "unitRow",
  numVisible: 1,
  shapeRule: (inputs, { ignoreIndex }) => {
    checkInputs(inputs);
    const [x, weight, targets] = inputs;
    const logits: TensorSpec = { shape: [x!.shape[0]!, weight!.shape[0]!], dtype: "f32" };
    return crossEntropyOp.contract.shapeRule([logits, targets!], { ignoreIndex });
  },
  reference: ([x, weight, targets, bias], { ignoreIndex }) => {
    const [logits] = linearOp.reference(bias === undefined ? [x!, weight!] : [x!, weight!, bias], undefined);
    return crossEntropyOp.reference([logits!, targets!], { ignoreIndex });
  },
  run: (_, inputs, [losses, lse], { ignoreIndex, chunks }) =>
    lossesInChunks(layerOf(inputs), { targets: inputs[2]!, ignoreIndex, chunks }, { losses: losses!, lse: lse! }),
  vjp: {
    saves: (_, numInputs) => ({ inputs: [0, 1, 2, 3].slice(0, numInputs), outputs: [1] }),
    pull: ({ inputs, outputs: [, lse], needs, attrs: { ignoreIndex, chunks } }, dOut) => {
      const dLoss = asContiguous(dOut);
      const [x, weight, targets, bias] = inputs;
      const wanted = [x, weight, undefined, bias].map((input, i) => (needs[i] ? input : undefined));
      const filled = runBackwardKernel(
        "linearCrossEntropyBackward",
        { inputs: [dLoss, x!, weight!], outputs: wanted.filter((input) => input !== undefined).map(addedUp) },
        (_, outputs) => {
          const [dx, dWeight, , dBias] = spread(wanted, outputs);
          const options = { targets: targets!, ignoreIndex, chunks, lse: lse!, dLoss };
          gradientsInChunks(layerOf(inputs), options, { dx, dWeight, dBias });
        },
      );
      return spread(wanted, filled).slice(0, needs.length);
    },
  },
  reductionLength: ([x, weight]) => Math.max(x![1]!, weight![0]!),
  composite: ([x, weight, targets, bias], { ignoreIndex }) => {
    const product = matmul(x!, transpose(weight!));
    const logits = bias === undefined ? product : add(product, bias); // [N, V]
    return crossEntropyOp.composite!([logits, targets!], { ignoreIndex });
  },
  samples: [
    {
      name: "one piece",
      inputs: [normal([5, 3]), normal([7, 3]), integers([5], 0, 7)],
      attrs: { ignoreIndex: -100, chunks: { rows: 5, classes: 7 } },
    },
    {
      name: "pieces of rows, ignored ones, a bias",
      inputs: [normal([7, 4]), normal([9, 4]), i32Values([3, -100, 8, 0, -100, 5, 5]), normal([9])],
      attrs: { ignoreIndex: -100, chunks: { rows: 3, classes: 9 } },
    },
    {
      name: "pieces of rows and classes, the first class ignored",
      inputs: [normal([5, 4]), normal([10, 4]), i32Values([3, 0, 9, 0, 4]), normal([10])],
      attrs: { ignoreIndex: 0, chunks: { rows: 2, classes: 4 } },
    },
    {
      name: "larger than a tile",
      inputs: [normal([70, 33]), normal([130, 33]), integers([70], 0, 130)],
      attrs: { ignoreIndex: -100, chunks: { rows: 32, classes: 64 } },
      checkVjp: false,
    },
    {
      name: "no rows",
      inputs: [normal([0, 4]), normal([3, 4]), integers([0], 0, 3), normal([3])],
      attrs: { ignoreIndex: -100, chunks: { rows: 1, classes: 3 } },
    },
  ],
});

/** Pieces are added up in it, one after another. */
function addedUp({ shape, dtype }: Tensor): TensorSpec {
  return { shape, dtype, fidelity: "exact" };
}

/** `values` at the places where `wanted` has something. */
function spread(wanted: readonly (Tensor | undefined)[], values: readonly Tensor[]): (Tensor | undefined)[] {
  let next = 0;
  return wanted.map((input) => (input === undefined ? undefined : values[next++]));
}

function checkInputs([x, weight, targets, bias]: readonly TensorSpec[]): void {
  const floats = bias === undefined ? { x: x!, weight: weight! } : { x: x!, weight: weight!, bias };
  for (const [name, { dtype }] of Object.entries(floats)) {
    if (dtype === "f32") continue;
    throw new DTypeError(`linearCrossEntropy: ${name} is ${dtype}; it must be f32. Use cast("f32").`, {
      [name]: dtype,
    });
  }
  if (targets!.dtype !== "i32") {
    throw new DTypeError(`linearCrossEntropy: targets are ${targets!.dtype}; they must be i32. Use cast("i32").`, {
      targets: targets!.dtype,
    });
  }
  const [numRows, numFeatures] = x!.shape;
  if (weight!.shape.length !== 2 || weight!.shape[1] !== numFeatures || weight!.shape[0] === 0) {
    throw new ShapeError(
      `linearCrossEntropy: x has ${numFeatures} features (last dim), but weight is ${formatShape(weight!.shape)}; weight must be [classes, ${numFeatures}], with at least one class.`,
      { x: x!.shape, weight: weight!.shape },
    );
  }
  if (targets!.shape.length !== 1 || targets!.shape[0] !== numRows) {
    throw new ShapeError(
      `linearCrossEntropy: x is ${formatShape(x!.shape)} and targets ${formatShape(targets!.shape)}; targets must have the leading dims of x.`,
      { x: x!.shape, targets: targets!.shape },
    );
  }
  if (bias !== undefined && (bias.shape.length !== 1 || bias.shape[0] !== weight!.shape[0])) {
    throw new ShapeError(
      `linearCrossEntropy: bias is ${formatShape(bias.shape)}, but weight is ${formatShape(weight!.shape)}; bias must be [${weight!.shape[0]}].`,
      { bias: bias.shape, weight: weight!.shape },
    );
  }
}

export interface LinearCrossEntropyOptions {
  /** [V], added to the logits. Default: none. */
  readonly bias?: Tensor | undefined;
  /** Positions with this target add nothing and are not counted. Default -100. */
  readonly ignoreIndex?: number | undefined;
}

/**
 * logSumExp(x W^T + b) - (x W^T + b)[target] for every row, and how many rows count, of logits that are never there at once.
 * @shape x [..., C], weight [V, C], targets [...] (i32, 0..V-1 or ignoreIndex), bias [V] -> losses [N]
 * @throws {ShapeError} E_SHAPE; {DTypeError} E_DTYPE; {ValueError} E_TARGET_RANGE with the first bad position.
 * @source crossEntropyRows of linear
 */
export function linearCrossEntropyRows(
  x: Tensor,
  weight: Tensor,
  targets: Tensor,
  { bias, ignoreIndex = -100 }: LinearCrossEntropyOptions = {},
): RowLosses {
  const leading = x.shape.slice(0, -1);
  if (x.numDims === 0 || leading.length !== targets.numDims || leading.some((size, i) => size !== targets.shape[i])) {
    throw new ShapeError(
      `linearCrossEntropy: x is ${formatShape(x.shape)} and targets ${formatShape(targets.shape)}; targets must have the leading dims of x.`,
      { x: x.shape, targets: targets.shape },
    );
  }
  const rows = x.numDims === 2 ? x : reshape(x, [targets.size, x.shape[x.numDims - 1]!]);
  const flatTargets = targets.numDims === 1 ? targets : reshape(targets, [targets.size]);
  const numClasses = weight.shape[0] ?? 0;
  const check = { limit: numClasses, ignored: ignoreIndex, code: "E_TARGET_RANGE", what: "the target" };
  const isChecked = flatTargets.dtype === "i32" && numClasses > 0;
  const numKept = isChecked ? checkIndices("linearCrossEntropy", flatTargets, check) : 0;
  const inputs = bias === undefined ? [rows, weight, flatTargets] : [rows, weight, flatTargets, bias];
  const attrs = { ignoreIndex, chunks: logitChunks(flatTargets.size, numClasses) };
  return { losses: linearCrossEntropyOp.apply(inputs, attrs)[0]!, numKept };
}
