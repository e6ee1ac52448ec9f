/** @file Streaming metrics of labels: their state is how often which class was predicted for which. */
import { type AccuracyOptions, accuracyOf, balancedAccuracyOf, type TopKOptions, topKHits } from "../accuracy.js";
import { type Average, type ClassCounts, classCountsOf, countClasses } from "../class-counts.js";
import { type CohenKappaOptions, kappaOf, matthewsOf } from "../confusion-matrix.js";
import { averagedScore, type FBetaOptions, type FScoreOptions } from "../f-score.js";
import { assertLabels, readFlat, type Values } from "../inputs.js";
import { Metric } from "../metric.js";
import { iouOf, type RegionOptions } from "../segmentation.js";
import { ruleName } from "./rules.js";

/** Labels of streaming metrics are 0..2^24-1: target and prediction make one key. */
const maxLabels = 1 << 24;

type Unweighted<O> = Omit<O, "sampleWeight">;
type OneNumber<O> = Unweighted<O> & { readonly average?: Exclude<Average, "none"> };
/** A metric of targets and predictions. */
export type LabelMetric = Metric<[yTrue: Values, yPred: Values], number>;

interface LabelRule {
  readonly where: string;
  readonly options: object;
  readonly ignoreIndex?: number | undefined;
  readonly value: (counts: ClassCounts) => number;
}

function labelMetric({ where, options, ignoreIndex, value }: LabelRule): LabelMetric {
  return new Metric({
    name: ruleName(where, options),
    mode: "max",
    measure: (yTrue, yPred) => {
      const { labels, matrix } = countClasses(where, yTrue, yPred, { ignoreIndex });
      assertLabels(where, "labels", labels, { low: 0, high: maxLabels });
      return {
        counts: labels.flatMap((target, i) =>
          labels.flatMap((prediction, j): [number, number][] =>
            matrix[i]![j]! > 0 ? [[target * maxLabels + prediction, matrix[i]![j]!]] : [],
          ),
        ),
      };
    },
    value: ({ counts }) => {
      const cells = new Map<number, Map<number, number>>();
      for (const [key, count] of counts) {
        const target = Math.floor(key / maxLabels);
        const row = cells.get(target) ?? new Map<number, number>();
        cells.set(target, row.set(key - target * maxLabels, count));
      }
      const { labels } = options as { labels?: Values };
      return value(classCountsOf(cells, labels === undefined ? [] : Array.from(readFlat(where, "labels", labels))));
    },
  });
}

function averagedMetric(
  where: string,
  options: Unweighted<FScoreOptions> & { readonly beta?: number },
  quantity: "precision" | "recall" | "fScore" | "specificity",
): LabelMetric {
  const value = (counts: ClassCounts) => averagedScore(where, counts, { ...options, quantity }) as number;
  return labelMetric({ where, options, value });
}

/** Streaming `accuracyScore`. @shape update: yTrue, yPred of one shape @source See metrics.accuracyScore. */
export function accuracyScore(options: Unweighted<AccuracyOptions> = {}): LabelMetric {
  const { ignoreIndex } = options;
  return labelMetric({
    where: "accuracyScore",
    options,
    ignoreIndex,
    value: (counts) => accuracyOf("accuracyScore", counts, options),
  });
}

/** Streaming `balancedAccuracyScore`. @shape update: yTrue, yPred [N] @source See metrics.balancedAccuracyScore. */
export function balancedAccuracyScore(options: { readonly adjusted?: boolean } = {}): LabelMetric {
  return labelMetric({
    where: "balancedAccuracyScore",
    options,
    value: (counts) => balancedAccuracyOf(counts, options),
  });
}

/** Streaming `precisionScore`. @shape update: yTrue, yPred [N] @source See metrics.precisionScore. */
export function precisionScore(options: OneNumber<FScoreOptions> = {}): LabelMetric {
  return averagedMetric("precisionScore", options, "precision");
}

/** Streaming `recallScore`. @shape update: yTrue, yPred [N] @source See metrics.recallScore. */
export function recallScore(options: OneNumber<FScoreOptions> = {}): LabelMetric {
  return averagedMetric("recallScore", options, "recall");
}

/** Streaming `f1Score`. @shape update: yTrue, yPred [N] @source See metrics.f1Score. */
export function f1Score(options: OneNumber<FScoreOptions> = {}): LabelMetric {
  return averagedMetric("f1Score", options, "fScore");
}

/** Streaming `fBetaScore`. @shape update: yTrue, yPred [N] @source See metrics.fBetaScore. */
export function fBetaScore(options: OneNumber<FBetaOptions>): LabelMetric {
  return averagedMetric("fBetaScore", options, "fScore");
}

/** Streaming `specificityScore`. @shape update: yTrue, yPred [N] @source See metrics.specificityScore. */
export function specificityScore(options: OneNumber<FScoreOptions> = {}): LabelMetric {
  return averagedMetric("specificityScore", options, "specificity");
}

/** Streaming `matthewsCorrelation`. @shape update: yTrue, yPred [N] @source See metrics.matthewsCorrelation. */
export function matthewsCorrelation(): LabelMetric {
  return labelMetric({ where: "matthewsCorrelation", options: {}, value: matthewsOf });
}

/** Streaming `cohenKappa`. @shape update: y1, y2 [N] @source See metrics.cohenKappa. */
export function cohenKappa(options: Unweighted<CohenKappaOptions> = {}): LabelMetric {
  return labelMetric({ where: "cohenKappa", options, value: (counts) => kappaOf("cohenKappa", counts, options) });
}

/** Streaming `iouScore`: mean IoU over the classes by default. @shape update: masks of one shape @source See metrics.iouScore. */
export function iouScore(options: OneNumber<RegionOptions> = {}): LabelMetric {
  const { ignoreIndex } = options;
  const value = (counts: ClassCounts) => iouOf("iouScore", counts, options) as number;
  return labelMetric({ where: "iouScore", options, ignoreIndex, value });
}

/** Streaming `diceScore`. @shape update: masks of one shape @source See metrics.diceScore. */
export function diceScore(options: OneNumber<RegionOptions> = {}): LabelMetric {
  const { ignoreIndex, average = "macro" } = options;
  const value = (counts: ClassCounts) =>
    averagedScore("diceScore", counts, { ...options, average, quantity: "fScore" }) as number;
  return labelMetric({ where: "diceScore", options, ignoreIndex, value });
}

/** Streaming `topKAccuracyScore`. @shape update: yTrue [N], yScore [N, classes] @source See metrics.topKAccuracyScore. */
export function topKAccuracyScore(
  options: Pick<TopKOptions, "k" | "labels"> = {},
): Metric<[yTrue: Values, yScore: Values], number> {
  return new Metric({
    name: ruleName("topKAccuracyScore", options),
    mode: "max",
    measure: (yTrue: Values, yScore: Values) => {
      const hits = topKHits("topKAccuracyScore", yTrue, yScore, options);
      return {
        counts: [
          [0, hits.length],
          [1, hits.filter(Boolean).length],
        ] as const,
      };
    },
    value: ({ counts }) => (counts.get(1) ?? 0) / counts.get(0)!,
  });
}
