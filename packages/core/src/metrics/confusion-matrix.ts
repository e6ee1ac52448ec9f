import { type ClassCounts, countClasses, totalOf } from "./class-counts.js";
import { assertOneOf, readFlat, undefinedMetric, type Values } from "./inputs.js";

export interface ConfusionMatrixOptions {
  /** Which classes, in which order; samples of others are left out. Default: all there are, ascending. */
  readonly labels?: Values;
  readonly sampleWeight?: Values;
  /** Divide by the number of targets of a class, of predictions of a class, or of all samples. */
  readonly normalize?: "true" | "pred" | "all";
}

/**
 * How often class `labels[j]` was predicted for class `labels[i]`.
 *
 * @shape yTrue, yPred [N] integer labels -> [classes, classes]
 * @throws {ShapeError} E_SHAPE for different lengths. @throws {ValueError} E_LABEL_RANGE for labels that are no integers.
 * @source sklearn.metrics.confusion_matrix; a class without samples normalises to 0, as there.
 * @example
 * metrics.confusionMatrix([0, 1, 1, 2], [0, 1, 2, 2]); // => [[1, 0, 0], [0, 1, 1], [0, 0, 1]]
 */
export function confusionMatrix(yTrue: Values, yPred: Values, options: ConfusionMatrixOptions = {}): number[][] {
  return normalizedMatrix("confusionMatrix", countClasses("confusionMatrix", yTrue, yPred, options), options);
}

function normalizedMatrix(
  where: string,
  counts: ClassCounts,
  { labels, normalize }: ConfusionMatrixOptions,
): number[][] {
  const wanted = labels === undefined ? counts.labels : Array.from(readFlat(where, "labels", labels));
  const places = wanted.map((label) => counts.labels.indexOf(label));
  const matrix = places.map((i) => places.map((j) => counts.matrix[i]?.[j] ?? 0));
  if (normalize === undefined) return matrix;
  assertOneOf(where, "normalize", normalize, ["true", "pred", "all"]);
  const rowSums = matrix.map((row) => row.reduce((a, b) => a + b, 0));
  const columnSums = places.map((_, j) => matrix.reduce((sum, row) => sum + row[j]!, 0));
  const all = rowSums.reduce((a, b) => a + b, 0);
  return matrix.map((row, i) =>
    row.map((count, j) => {
      const divisor = normalize === "true" ? rowSums[i]! : normalize === "pred" ? columnSums[j]! : all;
      return divisor === 0 ? 0 : count / divisor;
    }),
  );
}

/**
 * Correlation of targets and predictions, in [-1, 1]; 0 where one side knows a single class.
 *
 * @shape yTrue, yPred [N] integer labels -> number
 * @source sklearn.metrics.matthews_corrcoef; Gorodkin 2004, the R_K statistic, for more than two classes.
 * @example
 * metrics.matthewsCorrelation([1, 1, 1, 0], [1, 0, 1, 1]); // => -0.3333...
 */
export function matthewsCorrelation(
  yTrue: Values,
  yPred: Values,
  options: { readonly sampleWeight?: Values } = {},
): number {
  return matthewsOf(countClasses("matthewsCorrelation", yTrue, yPred, options));
}

export function matthewsOf(counts: ClassCounts): number {
  const { matrix } = counts;
  const targets = matrix.map((row) => row.reduce((a, b) => a + b, 0));
  const predictions = matrix.map((_, j) => matrix.reduce((sum, row) => sum + row[j]!, 0));
  const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
  const total = totalOf(counts);
  const correct = matrix.reduce((sum, row, i) => sum + row[i]!, 0);
  const together = correct * total - dot(targets, predictions);
  const ofPredictions = total * total - dot(predictions, predictions);
  const ofTargets = total * total - dot(targets, targets);
  if (ofPredictions * ofTargets === 0) return 0;
  return together / Math.sqrt(ofTargets * ofPredictions);
}

export interface CohenKappaOptions {
  readonly labels?: Values;
  readonly sampleWeight?: Values;
  /** How much further apart classes count: not at all, |i - j|, or its square. */
  readonly weights?: "linear" | "quadratic";
}

/**
 * Agreement beyond chance, in [-1, 1].
 *
 * @shape y1, y2 [N] integer labels -> number
 * @throws {ValueError} E_METRIC_UNDEFINED when both sides know one and the same class (scikit-learn answers NaN).
 * @source sklearn.metrics.cohen_kappa_score; Cohen 1960.
 * @example
 * metrics.cohenKappa([0, 1, 2, 2], [0, 1, 1, 2]); // => 0.6363...
 */
export function cohenKappa(y1: Values, y2: Values, options: CohenKappaOptions = {}): number {
  return kappaOf("cohenKappa", countClasses("cohenKappa", y1, y2, options), options);
}

export function kappaOf(where: string, counts: ClassCounts, { labels, weights }: CohenKappaOptions): number {
  assertOneOf(where, "weights", weights, [undefined, "linear", "quadratic"]);
  const matrix = normalizedMatrix(where, counts, labels === undefined ? {} : { labels });
  const rows = matrix.map((row) => row.reduce((a, b) => a + b, 0));
  const columns = matrix.map((_, j) => matrix.reduce((sum, row) => sum + row[j]!, 0));
  const total = rows.reduce((a, b) => a + b, 0);
  let seen = 0;
  let expected = 0;
  for (const [i, row] of matrix.entries()) {
    for (const [j, count] of row.entries()) {
      const distance = Math.abs(i - j);
      const weight = weights === undefined ? Number(i !== j) : weights === "linear" ? distance : distance * distance;
      seen += weight * count;
      expected += (weight * (columns[i]! * rows[j]!)) / total;
    }
  }
  if (!(expected > 0)) {
    throw undefinedMetric(
      where,
      `both sides give all samples the label ${counts.labels[0] ?? "(none)"}; kappa must see at least two classes`,
      "Use accuracyScore, or more samples.",
      { labels: counts.labels },
    );
  }
  return 1 - seen / expected;
}
