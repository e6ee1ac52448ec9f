/** @file Precision, recall, F and specificity, of counts of classes. */
import { ValueError } from "../errors.js";
import { type Average, type ClassCounts, classesOf, countClasses, type OneClass } from "./class-counts.js";
import { assertOneOf, type Values } from "./inputs.js";

export interface FScoreOptions {
  /** Default "binary": the class posLabel alone. */
  readonly average?: Average;
  /** The class that "binary" is about. Default 1. */
  readonly posLabel?: number;
  /** Which classes are averaged, or answered in which order. Default: all there are. */
  readonly labels?: Values;
  readonly sampleWeight?: Values;
  /** What a division by 0 gives: no prediction, or no target, of a class. Default 0. */
  readonly zeroDivision?: 0 | 1;
}

/** Options whose answer is one number. */
export type OneNumber<O extends { readonly average?: Average }> = O & { readonly average?: Exclude<Average, "none"> };
/** Options whose answer is a number a class. */
export type PerClass<O extends { readonly average?: Average }> = O & { readonly average: "none" };

export interface FScores {
  readonly precision: number[];
  readonly recall: number[];
  readonly fScore: number[];
  readonly specificity: number[];
  /** Targets of each class. */
  readonly support: number[];
}

type Quantity = "precision" | "recall" | "fScore" | "specificity";

/** The numbers of each class; one class where the average is "binary" or "micro". */
export function fScoresOf(
  where: string,
  counts: ClassCounts,
  options: FScoreOptions & { readonly beta?: number },
): FScores {
  const { average = "binary", beta = 1, zeroDivision = 0 } = options;
  assertOneOf(where, "zeroDivision", zeroDivision, [0, 1]);
  if (!(beta >= 0)) throw new ValueError(`${where}: beta is ${beta}; it must be at least 0. Change it.`, { beta });
  const classes = classesOf(where, counts, { ...options, average });
  const rows = average === "micro" ? [pooled(classes)] : classes.map(cellsOf);
  const divide = (a: number, b: number): number => (b === 0 ? zeroDivision : a / b);
  const precision = rows.map(({ tp, fp }) => divide(tp, tp + fp));
  const recall = rows.map(({ tp, fn }) => divide(tp, tp + fn));
  const fScore = rows.map((_, i) => {
    if (beta === Number.POSITIVE_INFINITY) return recall[i]!;
    const denominator = beta * beta * precision[i]! + recall[i]!;
    return ((1 + beta * beta) * precision[i]! * recall[i]!) / (denominator === 0 ? 1 : denominator);
  });
  return {
    precision,
    recall,
    fScore,
    specificity: rows.map(({ tn, fp }) => divide(tn, tn + fp)),
    support: classes.map(({ numTargets }) => numTargets),
  };
}

interface Cells {
  readonly tp: number;
  readonly fp: number;
  readonly fn: number;
  readonly tn: number;
}

function cellsOf({ truePositives: tp, numPredicted, numTargets, total }: OneClass): Cells {
  return { tp, fp: numPredicted - tp, fn: numTargets - tp, tn: total - numPredicted - numTargets + tp };
}

function pooled(classes: readonly OneClass[]): Cells {
  return classes
    .map(cellsOf)
    .reduce((a, b) => ({ tp: a.tp + b.tp, fp: a.fp + b.fp, fn: a.fn + b.fn, tn: a.tn + b.tn }), {
      tp: 0,
      fp: 0,
      fn: 0,
      tn: 0,
    });
}

/** One number, or one a class. */
export function averagedScore(
  where: string,
  counts: ClassCounts,
  { quantity, ...options }: FScoreOptions & { readonly beta?: number; readonly quantity: Quantity },
): number | number[] {
  const scores = fScoresOf(where, counts, options);
  const values = scores[quantity];
  const { average = "binary", zeroDivision = 0 } = options;
  if (average === "none") return values;
  if (average === "weighted") {
    const total = scores.support.reduce((a, b) => a + b, 0);
    if (total > 0) return values.reduce((sum, value, i) => sum + value * scores.support[i]!, 0) / total;
    const isNobodyPredicted = classesOf(where, counts, { ...options, average }).every(
      ({ numPredicted }) => numPredicted === 0,
    );
    return isNobodyPredicted || quantity === "recall" ? zeroDivision : 0;
  }
  return values.reduce((a, b) => a + b, 0) / values.length;
}

/**
 * Of the samples predicted as a class, the share that are of it: TP / (TP + FP).
 *
 * @shape yTrue, yPred [N] integer labels -> number, or a number a class with average "none"
 * @throws {ValueError} E_LABEL_RANGE when average is "binary" and there are more than two classes.
 * @source sklearn.metrics.precision_score, without its warnings: zeroDivision is 0 unless set.
 * @example
 * metrics.precisionScore([0, 1, 2, 0, 1, 2], [0, 2, 1, 0, 0, 1], { average: "macro" }); // => 0.2222...
 */
export function precisionScore(yTrue: Values, yPred: Values, options: PerClass<FScoreOptions>): number[];
export function precisionScore(yTrue: Values, yPred: Values, options?: OneNumber<FScoreOptions>): number;
export function precisionScore(yTrue: Values, yPred: Values, options: FScoreOptions = {}): number | number[] {
  const counts = countClasses("precisionScore", yTrue, yPred, options);
  return averagedScore("precisionScore", counts, { ...options, quantity: "precision" });
}

/**
 * Of the samples of a class, the share that were found: TP / (TP + FN).
 *
 * @shape yTrue, yPred [N] integer labels -> number, or a number a class with average "none"
 * @source sklearn.metrics.recall_score.
 * @example
 * metrics.recallScore([0, 1, 1, 1], [0, 1, 0, 1]); // => 0.6666...
 */
export function recallScore(yTrue: Values, yPred: Values, options: PerClass<FScoreOptions>): number[];
export function recallScore(yTrue: Values, yPred: Values, options?: OneNumber<FScoreOptions>): number;
export function recallScore(yTrue: Values, yPred: Values, options: FScoreOptions = {}): number | number[] {
  const counts = countClasses("recallScore", yTrue, yPred, options);
  return averagedScore("recallScore", counts, { ...options, quantity: "recall" });
}

/**
 * Harmonic mean of precision and recall.
 *
 * @shape yTrue, yPred [N] integer labels -> number, or a number a class with average "none"
 * @throws {ValueError} E_LABEL_RANGE when average is "binary" and there are more than two classes.
 * @source sklearn.metrics.f1_score.
 * @example
 * metrics.f1Score([0, 1, 2, 0, 1, 2], [0, 2, 1, 0, 0, 1], { average: "macro" }); // => 0.2666...
 */
export function f1Score(yTrue: Values, yPred: Values, options: PerClass<FScoreOptions>): number[];
export function f1Score(yTrue: Values, yPred: Values, options?: OneNumber<FScoreOptions>): number;
export function f1Score(yTrue: Values, yPred: Values, options: FScoreOptions = {}): number | number[] {
  return averagedScore("f1Score", countClasses("f1Score", yTrue, yPred, options), { ...options, quantity: "fScore" });
}

export interface FBetaOptions extends FScoreOptions {
  /** How much more recall counts than precision. */
  readonly beta: number;
}

/**
 * Weighted harmonic mean of precision and recall: (1 + b^2) P R / (b^2 P + R).
 *
 * @shape yTrue, yPred [N] integer labels -> number, or a number a class with average "none"
 * @source sklearn.metrics.fbeta_score.
 * @example
 * metrics.fBetaScore([0, 1, 1, 1], [1, 1, 0, 1], { beta: 2 }); // => 0.6666...
 */
export function fBetaScore(yTrue: Values, yPred: Values, options: PerClass<FBetaOptions>): number[];
export function fBetaScore(yTrue: Values, yPred: Values, options: OneNumber<FBetaOptions>): number;
export function fBetaScore(yTrue: Values, yPred: Values, options: FBetaOptions): number | number[] {
  const counts = countClasses("fBetaScore", yTrue, yPred, options);
  return averagedScore("fBetaScore", counts, { ...options, quantity: "fScore" });
}

/**
 * Of the samples that are not of a class, the share that were not predicted as it: TN / (TN + FP). Recall of the rest.
 *
 * @shape yTrue, yPred [N] integer labels -> number, or a number a class with average "none"
 * @source none: ours. For two classes sklearn's recall_score of the other class.
 * @example
 * metrics.specificityScore([0, 0, 0, 1], [0, 1, 0, 1]); // => 0.6666...
 */
export function specificityScore(yTrue: Values, yPred: Values, options: PerClass<FScoreOptions>): number[];
export function specificityScore(yTrue: Values, yPred: Values, options?: OneNumber<FScoreOptions>): number;
export function specificityScore(yTrue: Values, yPred: Values, options: FScoreOptions = {}): number | number[] {
  const counts = countClasses("specificityScore", yTrue, yPred, options);
  return averagedScore("specificityScore", counts, { ...options, quantity: "specificity" });
}
