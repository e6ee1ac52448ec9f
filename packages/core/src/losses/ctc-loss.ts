import { withBackend } from "../backend/current-backend.js";
import { ShapeError, ValueError } from "../errors.js";
import { div, maximum } from "../ops/arithmetic.js";
import { cast, where as choose, eq } from "../ops/compare.js";
import { ctcOp } from "../ops/ctc.js";
import { sum } from "../ops/expand-sum.js";
import { tensor } from "../tensor/create.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import type { LossSum } from "./loss-sum.js";

export interface CtcOptions {
  /** [B], 0..T: frames of each row. Default: all T. */
  readonly inputLengths?: Tensor | readonly number[];
  /** [B], 0..L: labels of each row; what stands behind them in `targets` is not looked at. Default: all L. */
  readonly targetLengths?: Tensor | readonly number[];
  /** Class that stands for no label. Default 0. */
  readonly blank?: number;
  /** Rows that no alignment fits add 0 instead of being an error. They are counted all the same. Default false. */
  readonly zeroInfinity?: boolean;
  /** Divides the loss of each row by its number of labels (at least 1). Default false. */
  readonly isPerLabel?: boolean;
}

/**
 * Connectionist temporal classification: targets that are shorter than the input, and not aligned with it.
 *
 *   sum    = sum over rows of -log( sum over alignments of the product over frames of p[class of the frame] )
 *   weight = B
 *
 * An alignment names a class for each frame; with repeated classes merged and blanks then dropped it reads as the target.
 *
 * @shape logProbs [T, B, C] (what logSoftmax gives), targets [B, L] (i32, 0..C-1 without the blank) -> scalar
 * @numerics Forward and backward sums run in logarithms and f64, frame by frame; loss and gradient are rounded once. The gradient is that of
 *   the formula by logProbs: -1 times the probability that the frame belongs to the class.
 * @throws {ShapeError} E_SHAPE; {DTypeError} E_DTYPE; {ValueError} E_TARGET_RANGE with the first label that is no class, or the blank; E_VALUE
 *   for a length out of range, or an input that is too short for its target (without zeroInfinity).
 * @source torch.nn.functional.ctc_loss(reduction="sum"), targets padded; its "mean" is sum / weight with isPerLabel. Graves et al. 2006.
 * @example
 * const logProbs = tensor([[[0.5, 0.5]], [[0.5, 0.5]]]).log(); // two frames: a blank, or the label
 * losses.ctcLoss(logProbs, tensor([[1]], { dtype: "i32" })).sum.itemSync(); // => 0.28768208622932434
 */
export function ctcLoss(logProbs: Tensor, targets: Tensor, options: CtcOptions = {}): LossSum {
  const { blank = 0, zeroInfinity = false, isPerLabel = false } = options;
  const [T, B, C] = logProbs.shape;
  if (logProbs.numDims !== 3 || targets.numDims !== 2) {
    throw new ShapeError(
      `ctcLoss: logProbs are ${formatShape(logProbs.shape)} and targets ${formatShape(targets.shape)}; they must be [T,B,C] and [B,L].`,
      { logProbs: logProbs.shape, targets: targets.shape },
    );
  }
  if (!Number.isInteger(blank) || blank < 0 || blank >= C!) {
    throw new ValueError(`ctcLoss: blank is ${blank}; it must be a class, 0..${C! - 1}.`, { blank, numClasses: C });
  }
  const inputLengths = lengthsBeside(logProbs, options.inputLengths, T!);
  const targetLengths = lengthsBeside(logProbs, options.targetLengths, targets.shape[1]!);
  const inputs = [logProbs, targets, inputLengths, targetLengths] as const;
  ctcOp.contract.shapeRule(inputs, { blank });
  assertRows(inputs, { blank, zeroInfinity });
  const rows = ctcOp.apply(inputs, { blank })[0]!;
  const finite = zeroInfinity ? choose(eq(rows, Number.POSITIVE_INFINITY), 0, rows) : rows;
  const scaled = isPerLabel ? div(finite, maximum(cast(targetLengths, "f32"), 1)) : finite;
  return { sum: sum(scaled), weight: B! };
}

function lengthsBeside(logProbs: Tensor, lengths: Tensor | readonly number[] | undefined, all: number): Tensor {
  if (lengths !== undefined && "shape" in lengths) return lengths;
  const values = lengths ?? Array.from({ length: logProbs.shape[1]! }, () => all);
  return withBackend(logProbs.backend, () => tensor([...values], { dtype: "i32" }));
}

/** Lengths and labels before a kernel trusts them with memory, where the backend can read at once. */
function assertRows(
  [logProbs, targets, inputLengths, targetLengths]: readonly [Tensor, Tensor, Tensor, Tensor],
  { blank, zeroInfinity }: { readonly blank: number; readonly zeroInfinity: boolean },
): void {
  const { backend } = targets;
  if (backend.readSync === undefined) return;
  const [T, , C] = logProbs.shape as [number, number, number];
  const L = targets.shape[1]!;
  const [labels, numFrames, numLabels] = [targets, inputLengths, targetLengths].map((x) => backend.readSync!(x));
  for (let b = 0; b < numFrames!.length; b++) {
    assertLength(["inputLengths", numFrames![b]!], b, T);
    assertLength(["targetLengths", numLabels![b]!], b, L);
    let needed = 0;
    for (let i = b * L; i < b * L + numLabels![b]!; i++) {
      const label = labels![i]!;
      if (label < 0 || label >= C || label === blank) {
        throw new ValueError(
          `ctcLoss: the label at position ${i} (row ${b}) is ${label}; it must be in 0..${C - 1} and not ${blank}, the blank.`,
          { position: i, value: label, limit: C },
          "E_TARGET_RANGE",
        );
      }
      needed += i > b * L && label === labels![i - 1] ? 2 : 1; // a blank between equal labels
    }
    if (needed <= numFrames![b]! || zeroInfinity) continue;
    throw new ValueError(
      `ctcLoss: row ${b} has ${numFrames![b]} frames, but its ${numLabels![b]} labels need at least ${needed} (repeated ones a blank between them). Leave such rows out, give them more frames, or set zeroInfinity.`,
      { row: b, numFrames: numFrames![b], numLabels: numLabels![b], needed },
    );
  }
}

function assertLength([name, value]: readonly [string, number], row: number, limit: number): void {
  if (value >= 0 && value <= limit) return;
  throw new ValueError(`ctcLoss: ${name}[${row}] is ${value}; it must be in 0..${limit}.`, { row, value, limit });
}
