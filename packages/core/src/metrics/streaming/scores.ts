/** @file Streaming metrics of scores and probabilities: ROC AUC and average precision keep every score; losses are sums. */
import { ValueError } from "../../errors.js";
import type { LossSum } from "../../losses/loss-sum.js";
import { exp } from "../../scalar-math/index.js";
import type { Values } from "../inputs.js";
import { Metric, type MetricRule } from "../metric.js";
import { brierErrors, type LogLossOptions, logLosses } from "../probabilities.js";
import {
  type AveragePrecisionOptions,
  type ClassScores,
  multiClassPrecision,
  multiClassRocAuc,
  type RocAucOptions,
  readScores,
} from "../ranking.js";
import { meanRule, ruleName } from "./rules.js";

/** A metric of targets and scores. */
export type ScoreMetric = Metric<[yTrue: Values, yScore: Values], number>;

/** Rows are [classes, target, its scores, target, its scores, ...], one an update. */
function scoreMetric(where: string, options: object, value: (all: ClassScores) => number): ScoreMetric {
  return new Metric({
    name: ruleName(where, options),
    mode: "max",
    measure: (yTrue, yScore) => {
      const { targets, scores, numClasses } = readScores(where, yTrue, yScore);
      const row = [numClasses];
      for (let i = 0; i < targets.length; i++) {
        row.push(targets[i]!);
        for (let j = 0; j < numClasses; j++) row.push(scores[i * numClasses + j]!);
      }
      return { rows: [row] };
    },
    value: ({ rows }) => {
      const numClasses = rows[0]![0]!;
      const [targets, scores]: [number[], number[]] = [[], []];
      for (const row of rows) {
        if (row[0] !== numClasses) {
          throw new ValueError(
            `${where}: updates have ${numClasses} and ${row[0]} columns of scores; all must have the same number. Check the model's outputs.`,
            { numClasses, other: row[0] },
          );
        }
        for (let place = 1; place < row.length; place += 1 + numClasses) {
          targets.push(row[place]!);
          for (let j = 1; j <= numClasses; j++) scores.push(row[place + j]!);
        }
      }
      return value({ targets, scores, numClasses });
    },
  });
}

/** Streaming `rocAucScore`; labels are 0 and 1, or 0..classes-1. @shape update: yTrue [N], yScore [N] or [N, classes] @source See metrics.rocAucScore. */
export function rocAucScore(options: Pick<RocAucOptions, "multiClass" | "average"> = {}): ScoreMetric {
  return scoreMetric("rocAucScore", options, (all) => multiClassRocAuc("rocAucScore", all, options));
}

/** Streaming `averagePrecisionScore`. @shape update: yTrue [N], yScore [N] or [N, classes] @source See metrics.averagePrecisionScore. */
export function averagePrecisionScore(options: Pick<AveragePrecisionOptions, "average"> = {}): ScoreMetric {
  return scoreMetric("averagePrecisionScore", options, (all) =>
    multiClassPrecision("averagePrecisionScore", all, options),
  );
}

/** Streaming `logLoss`. @shape update: yTrue [N], yPred [N] or [N, classes] probabilities @source See metrics.logLoss. */
export function logLoss(options: Pick<LogLossOptions, "labels" | "eps"> = {}): ScoreMetric {
  return new Metric(
    meanRule(ruleName("logLoss", options), "min", (yTrue: Values, yPred: Values) =>
      logLosses("logLoss", yTrue, yPred, options),
    ),
  );
}

/** Streaming `brierScore`. @shape update: yTrue [N], yProb [N] @source See metrics.brierScore. */
export function brierScore(options: { readonly posLabel?: number } = {}): ScoreMetric {
  return new Metric(
    meanRule(ruleName("brierScore", options), "min", (yTrue: Values, yProb: Values) =>
      brierErrors("brierScore", yTrue, yProb, options.posLabel),
    ),
  );
}

/**
 * Streaming perplexity, of what a loss of cross-entropy returns: exp of the summed losses by the summed weights.
 *
 * @shape update: { sum, weight } -> number
 * @source See metrics.perplexity.
 * @example
 * metrics.streaming.perplexity().update(losses.crossEntropy(tensor([[0, 0]]), tensor([1], { dtype: "i32" }))).compute().toFixed(4); // => "2.0000"
 */
export function perplexity(): Metric<[loss: LossSum], number> {
  return new Metric(lossRule("perplexity", exp));
}

/** Streaming mean of anything that is given as sum and weight, as losses are. @shape update: { sum, weight } -> number @source none: ours. */
export function mean(options: { readonly mode?: "max" | "min" } = {}): Metric<[loss: LossSum], number> {
  const { mode = "min" } = options;
  return new Metric({ ...lossRule(ruleName("mean", options), (value) => value), mode });
}

function lossRule(name: string, value: (mean: number) => number): MetricRule<[loss: LossSum], number> {
  return {
    name,
    mode: "min",
    measure: ({ sum, weight }) => ({ sums: [sum.itemSync(), weight] }),
    value: ({ sums: [sum, weight] }) => {
      if (weight! > 0) return value(sum! / weight!);
      throw new ValueError(
        `${name}: the weights sum to ${weight}; they must be above 0. Pass a sample that counts.`,
        { weight },
        "E_METRIC_UNDEFINED",
      );
    },
  };
}
