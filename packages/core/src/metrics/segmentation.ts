/** @file Overlap of regions: every element of a mask is a sample. */
import { type Average, type ClassCounts, classesOf, countClasses } from "./class-counts.js";
import { averagedScore } from "./f-score.js";
import type { Values } from "./inputs.js";

export interface RegionOptions {
  /** Default "macro" over the classes that targets or predictions have; "none": a number a class. */
  readonly average?: Average;
  readonly posLabel?: number;
  readonly labels?: Values;
  /** Elements with this target are left out. */
  readonly ignoreIndex?: number;
  /** Of a class that neither side has, where labels names it. Default 0. */
  readonly zeroDivision?: 0 | 1;
}

type OneNumber = RegionOptions & { readonly average?: Exclude<Average, "none"> };
type PerClass = RegionOptions & { readonly average: "none" };

export function iouOf(where: string, counts: ClassCounts, options: RegionOptions): number | number[] {
  const { average = "macro", zeroDivision = 0 } = options;
  const classes = classesOf(where, counts, { ...options, average });
  const parts = classes.map(({ truePositives, numPredicted, numTargets }): [number, number] => [
    truePositives,
    numPredicted + numTargets - truePositives,
  ]);
  const divide = ([both, either]: [number, number]): number => (either === 0 ? zeroDivision : both / either);
  const values = parts.map(divide);
  if (average === "none") return values;
  if (average === "micro") return divide(parts.reduce(([a, b], [c, d]): [number, number] => [a + c, b + d], [0, 0]));
  if (average === "weighted") {
    const total = classes.reduce((sum, { numTargets }) => sum + numTargets, 0);
    return values.reduce((sum, value, i) => sum + value * classes[i]!.numTargets, 0) / total;
  }
  return values.reduce((a, b) => a + b, 0) / values.length;
}

/**
 * Intersection over union of each class, TP / (TP + FP + FN); the mean over classes by default (mean IoU).
 *
 * @shape yTrue, yPred integer masks of one shape -> number, or a number a class with average "none"
 * @throws {ShapeError} E_SHAPE for masks of different sizes.
 * @source Jaccard 1912; sklearn.metrics.jaccard_score over the elements.
 * @example
 * metrics.iouScore([[0, 1], [1, 1]], [[0, 1], [0, 1]], { average: "none" }); // => [0.5, 2 / 3]
 */
export function iouScore(yTrue: Values, yPred: Values, options: PerClass): number[];
export function iouScore(yTrue: Values, yPred: Values, options?: OneNumber): number;
export function iouScore(yTrue: Values, yPred: Values, options: RegionOptions = {}): number | number[] {
  return iouOf("iouScore", countClasses("iouScore", yTrue, yPred, options), options);
}

/**
 * Dice coefficient of each class, 2 TP / (2 TP + FP + FN); the mean over classes by default. The F1 of the elements.
 *
 * @shape yTrue, yPred integer masks of one shape -> number, or a number a class with average "none"
 * @source Dice 1945.
 * @example
 * metrics.diceScore([[0, 1], [1, 1]], [[0, 1], [0, 1]], { average: "binary" }); // => 0.8
 */
export function diceScore(yTrue: Values, yPred: Values, options: PerClass): number[];
export function diceScore(yTrue: Values, yPred: Values, options?: OneNumber): number;
export function diceScore(yTrue: Values, yPred: Values, options: RegionOptions = {}): number | number[] {
  const { average = "macro" } = options;
  const counts = countClasses("diceScore", yTrue, yPred, options);
  return averagedScore("diceScore", counts, { ...options, average, quantity: "fScore" });
}
