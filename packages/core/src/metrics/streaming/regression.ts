/** @file Streaming errors of predicted numbers. Several outputs count as so many numbers of one (mean), or are averaged (R2). */

import { treeSum } from "../../train/tree-order.js";
import type { Values } from "../inputs.js";
import { undefinedMetric } from "../inputs.js";
import { Metric } from "../metric.js";
import { absoluteError, type Column, explainedShare, readColumns, relativeError, squaredError } from "../regression.js";
import { meanRule } from "./rules.js";

/** A metric of numbers and their predictions. */
export type RegressionMetric = Metric<[yTrue: Values, yPred: Values], number>;

const errorsBy =
  (where: string, error: (target: number, prediction: number) => number) => (yTrue: Values, yPred: Values) =>
    readColumns(where, yTrue, yPred).flatMap(({ targets, predictions }) =>
      targets.map((target, i) => error(target, predictions[i]!)),
    );

/** Streaming `meanSquaredError`. @shape update: yTrue, yPred [N] or [N, outputs] @source See metrics.meanSquaredError. */
export function meanSquaredError(): RegressionMetric {
  return new Metric(meanRule("meanSquaredError", "min", errorsBy("meanSquaredError", squaredError)));
}

/** Root of the mean over all outputs. @shape update: yTrue, yPred [N] or [N, outputs] @source See metrics.rootMeanSquaredError. */
export function rootMeanSquaredError(): RegressionMetric {
  const rule = meanRule("rootMeanSquaredError", "min", errorsBy("rootMeanSquaredError", squaredError));
  return new Metric({ ...rule, value: (total) => Math.sqrt(rule.value(total)) });
}

/** Streaming `meanAbsoluteError`. @shape update: yTrue, yPred [N] or [N, outputs] @source See metrics.meanAbsoluteError. */
export function meanAbsoluteError(): RegressionMetric {
  return new Metric(meanRule("meanAbsoluteError", "min", errorsBy("meanAbsoluteError", absoluteError)));
}

/** Streaming `meanAbsolutePercentageError`. @shape update: yTrue, yPred [N] or [N, outputs] @source See metrics.meanAbsolutePercentageError. */
export function meanAbsolutePercentageError(): RegressionMetric {
  return new Metric(
    meanRule("meanAbsolutePercentageError", "min", errorsBy("meanAbsolutePercentageError", relativeError)),
  );
}

/** Of one output: number, sum of squared errors, mean and spread of the targets, mean and spread of the errors. */
const numMoments = 6;

function momentsOf({ targets, predictions }: Column): number[] {
  const errors = targets.map((target, i) => target - predictions[i]!);
  const spread = (values: readonly number[]): [number, number] => {
    const mean = treeSum(values) / values.length;
    return [mean, treeSum(values.map((value) => (value - mean) * (value - mean)))];
  };
  return [targets.length, treeSum(errors.map((error) => error * error)), ...spread(targets), ...spread(errors)];
}

/** Chan, Golub and LeVeque 1983, equation 2.1: the spread of two groups about their common mean. */
function combineMoments(a: readonly number[], b: readonly number[]): number[] {
  const joined: number[] = [];
  for (let at = 0; at < a.length; at += numMoments) {
    const [n, m] = [a[at]!, b[at]!];
    joined.push(n + m, a[at + 1]! + b[at + 1]!);
    for (const k of [2, 4]) {
      const delta = b[at + k]! - a[at + k]!;
      joined.push(
        a[at + k]! + (delta * m) / (n + m),
        a[at + k + 1]! + b[at + k + 1]! + (delta * delta * n * m) / (n + m),
      );
    }
  }
  return joined;
}

function momentMetric(where: string, unexplained: (moments: readonly number[]) => number): RegressionMetric {
  return new Metric({
    name: where,
    mode: "max",
    measure: (yTrue: Values, yPred: Values) => ({ sums: readColumns(where, yTrue, yPred).flatMap(momentsOf) }),
    combine: combineMoments,
    value: ({ sums }) => {
      if (sums[0]! < 2)
        throw undefinedMetric(where, `there is ${sums[0]} sample; there must be two`, "Pass more samples.");
      const outputs = Array.from({ length: sums.length / numMoments }, (_, j) =>
        sums.slice(j * numMoments, (j + 1) * numMoments),
      );
      return treeSum(outputs.map((moments) => explainedShare(unexplained(moments), moments[3]!))) / outputs.length;
    },
  });
}

/** Streaming `r2Score`. @shape update: yTrue, yPred [N] or [N, outputs] @source See metrics.r2Score; moments are joined as by Chan et al. 1983. */
export function r2Score(): RegressionMetric {
  return momentMetric("r2Score", (moments) => moments[1]!);
}

/** Streaming `explainedVarianceScore`. @shape update: yTrue, yPred [N] or [N, outputs] @source See metrics.explainedVarianceScore. */
export function explainedVarianceScore(): RegressionMetric {
  return momentMetric("explainedVarianceScore", (moments) => moments[5]!);
}
