/**
 * @file How often which class was predicted for which: all that accuracy, precision, recall, kappa and their kind need.
 *
 * Counts are exact: without weights every number here is an integer, so that no order of adding can show.
 */
import { ValueError } from "../errors.js";
import { assertLabels, assertOneOf, assertSameLength, readFlat, readWeights, type Values } from "./inputs.js";

export interface ClassCounts {
  /** Ascending. */
  readonly labels: readonly number[];
  /** [target][prediction], by place in `labels`. */
  readonly matrix: readonly (readonly number[])[];
}

export interface ClassCountOptions {
  /** Classes that are there even when no sample has them. */
  readonly labels?: Values | undefined;
  readonly sampleWeight?: Values | undefined;
  /** Samples with this target are left out. */
  readonly ignoreIndex?: number | undefined;
}

/** Counts of samples; tensors of any shape count element by element. */
export function countClasses(
  where: string,
  yTrue: Values,
  yPred: Values,
  { labels, sampleWeight, ignoreIndex }: ClassCountOptions = {},
): ClassCounts {
  const targets = readFlat(where, "yTrue", yTrue);
  const predictions = readFlat(where, "yPred", yPred);
  assertSameLength(where, ["yTrue", targets.length], ["yPred", predictions.length]);
  assertLabels(where, "yTrue", targets);
  assertLabels(where, "yPred", predictions);
  const weights = readWeights(where, sampleWeight, targets.length);
  const cells = new Map<number, Map<number, number>>();
  for (let i = 0; i < targets.length; i++) {
    if (targets[i] === ignoreIndex) continue;
    const row = cells.get(targets[i]!) ?? new Map<number, number>();
    cells.set(targets[i]!, row);
    row.set(predictions[i]!, (row.get(predictions[i]!) ?? 0) + (weights === undefined ? 1 : weights[i]!));
  }
  const known = labels === undefined ? [] : Array.from(readFlat(where, "labels", labels));
  return classCountsOf(cells, known);
}

/** The square matrix of sparse cells; `known` classes are there in any case. */
export function classCountsOf(
  cells: ReadonlyMap<number, ReadonlyMap<number, number>>,
  known: readonly number[] = [],
): ClassCounts {
  const found = new Set<number>(known);
  for (const [target, row] of cells) {
    found.add(target);
    for (const prediction of row.keys()) found.add(prediction);
  }
  const labels = [...found].sort((a, b) => a - b);
  const matrix = labels.map((target) => labels.map((prediction) => cells.get(target)?.get(prediction) ?? 0));
  return { labels, matrix };
}

/** Of one class against the rest. */
export interface OneClass {
  readonly label: number;
  readonly truePositives: number;
  readonly numPredicted: number;
  readonly numTargets: number;
  readonly total: number;
}

export function totalOf({ matrix }: ClassCounts): number {
  return matrix.reduce((sum, row) => sum + row.reduce((a, b) => a + b, 0), 0);
}

/** Counts of each class, or of the given ones in their order; a class nobody has counts 0. */
export function perClass(counts: ClassCounts, only: readonly number[] = counts.labels): OneClass[] {
  const total = totalOf(counts);
  return only.map((label) => {
    const k = counts.labels.indexOf(label);
    if (k < 0) return { label, truePositives: 0, numPredicted: 0, numTargets: 0, total };
    return {
      label,
      truePositives: counts.matrix[k]![k]!,
      numPredicted: counts.matrix.reduce((sum, row) => sum + row[k]!, 0),
      numTargets: counts.matrix[k]!.reduce((a, b) => a + b, 0),
      total,
    };
  });
}

/** How numbers of classes become one. "none": they stay apart. */
export type Average = "binary" | "micro" | "macro" | "weighted" | "none";

export const averages: readonly Average[] = ["binary", "micro", "macro", "weighted", "none"];

/** The classes that an average is over. @throws {ValueError} E_LABEL_RANGE where "binary" meets more than two classes. */
export function classesOf(
  where: string,
  counts: ClassCounts,
  {
    average,
    labels,
    posLabel = 1,
  }: { readonly average: Average; readonly labels?: Values | undefined; readonly posLabel?: number | undefined },
): OneClass[] {
  assertOneOf(where, "average", average, averages);
  if (average !== "binary") {
    return perClass(counts, labels === undefined ? counts.labels : Array.from(readFlat(where, "labels", labels)));
  }
  const refuse = (what: string): never => {
    throw new ValueError(
      `${where}: ${what}. Set average to "macro", "micro" or "weighted", or posLabel to one of the labels.`,
      { labels: counts.labels, posLabel },
      "E_LABEL_RANGE",
    );
  };
  if (counts.labels.length > 2) {
    refuse(
      `there are ${counts.labels.length} classes (${counts.labels.slice(0, 8).join(", ")}); average "binary" must have two`,
    );
  }
  if (counts.labels.length === 2 && !counts.labels.includes(posLabel)) {
    refuse(`posLabel is ${posLabel} and the labels are ${counts.labels.join(" and ")}; posLabel must be one of them`);
  }
  return perClass(counts, [posLabel]);
}
