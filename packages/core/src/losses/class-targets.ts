/** @file Integer targets of a loss over classes: scores as rows, targets beside them, and what each row weighs. Legend: N rows, C classes. */
import { BackendError, DTypeError, ShapeError } from "../errors.js";
import { where as choose, ne } from "../ops/compare.js";
import { gather } from "../ops/gather.js";
import { checkIndices } from "../ops/index-range.js";
import { reshape } from "../ops/reshape.js";
import { formatShape, shapesEqual } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { assertFloats, type ClassWeights, classWeightsBeside } from "./loss-checks.js";

export interface ClassTargets {
  /** [N, C]. */
  readonly rows: Tensor;
  /** [N], i32; 0 where the row is ignored. */
  readonly targets: Tensor;
  /** [N], i32: 1 where the row counts; undefined where all do. */
  readonly isKept: Tensor | undefined;
  readonly numKept: number;
}

/** Scores [..., C] as rows [N, C]. @throws {ShapeError} E_SHAPE for a scalar or no classes; {DTypeError} E_DTYPE unless f32. */
export function classRows(where: string, scores: Tensor): Tensor {
  assertFloats(where, { scores });
  const numClasses = scores.shape[scores.numDims - 1];
  if (numClasses === undefined || numClasses === 0) {
    throw new ShapeError(
      `${where}: the scores are ${formatShape(scores.shape)}; the last dim must hold at least one class.`,
      { scores: scores.shape },
    );
  }
  return scores.numDims === 2 ? scores : reshape(scores, [scores.size / numClasses, numClasses]);
}

/**
 * Checks integer targets beside scores.
 * @throws {ShapeError} E_SHAPE unless targets have the leading dims of scores; {DTypeError} E_DTYPE; {ValueError} E_TARGET_RANGE with the
 *   first bad position.
 */
export function classTargets(where: string, scores: Tensor, given: ClassTargetsInput): ClassTargets {
  const { targets, ignoreIndex } = given;
  const rows = classRows(where, scores);
  if (targets.dtype !== "i32") {
    throw new DTypeError(`${where}: targets are ${targets.dtype}; they must be i32. Use cast("i32").`, {
      targets: targets.dtype,
    });
  }
  if (!shapesEqual(targets.shape, scores.shape.slice(0, -1))) {
    throw new ShapeError(
      `${where}: the scores are ${formatShape(scores.shape)} and targets ${formatShape(targets.shape)}; targets must have the leading dims of the scores.`,
      { scores: scores.shape, targets: targets.shape },
    );
  }
  const flat = reshape(targets, [targets.size]);
  const range = { limit: rows.shape[1]!, code: "E_TARGET_RANGE", what: "the target" };
  const numKept = checkIndices(where, flat, ignoreIndex === undefined ? range : { ...range, ignored: ignoreIndex });
  if (ignoreIndex === undefined) return { rows, targets: flat, isKept: undefined, numKept };
  const isKept = ne(flat, ignoreIndex);
  return { rows, targets: choose(isKept, flat, 0), isKept, numKept };
}

export interface ClassTargetsInput {
  readonly targets: Tensor;
  readonly ignoreIndex?: number | undefined;
}

/** The score of each row's target. rows [N, C] -> [N] */
export function targetScores({ rows, targets }: ClassTargets): Tensor {
  return reshape(gather(rows, 1, reshape(targets, [targets.size, 1])), [targets.size]);
}

/** `values` [N] with 0 where the row is ignored. */
export function keptOnly({ isKept }: ClassTargets, values: Tensor): Tensor {
  return isKept === undefined ? values : choose(isKept, values, 0);
}

export interface RowWeights {
  /** [C] */
  readonly byClass: Tensor;
  /** [N]: the weight of the row's target, 0 where it is ignored. */
  readonly byRow: Tensor;
  /** Sum of byRow in f64, over ascending rows. */
  readonly total: number;
}

/** @throws as classWeightsBeside; {BackendError} E_BACKEND on a device that cannot read at once: the total is a number. */
export function rowWeights(where: string, classes: ClassTargets, weights: ClassWeights): RowWeights {
  const { rows, targets } = classes;
  const byClass = classWeightsBeside(where, rows, { weights, numClasses: rows.shape[1]! });
  const byRow = keptOnly(classes, gather(byClass, 0, targets));
  if (byRow.backend.readSync === undefined) {
    throw new BackendError(
      `${where}: the ${byRow.backend.name} backend cannot read at once, so the sum of classWeights is not known; leave them out there.`,
      { backend: byRow.backend.name },
    );
  }
  let total = 0;
  for (const weight of byRow.backend.readSync(byRow)) total += weight;
  return { byClass, byRow, total };
}
