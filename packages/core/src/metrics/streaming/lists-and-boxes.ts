/** @file Streaming metrics of ranked lists and of detected boxes. */
import type { Box } from "../boxes.js";
import type { Values } from "../inputs.js";
import { assertSameLength } from "../inputs.js";
import {
  type BoxPredictions,
  type BoxTargets,
  type DetectedImage,
  type MeanAveragePrecisionOptions,
  meanAveragePrecisionOf,
  readImage,
} from "../mean-average-precision.js";
import { Metric } from "../metric.js";
import { type NdcgOptions, queryScores, type RetrievalKind, type RetrievalOptions } from "../retrieval.js";
import { meanRule, ruleName } from "./rules.js";

/** A metric of queries: relevance and scores of documents. */
export type QueryMetric = Metric<[yTrue: Values, yScore: Values], number>;

function queryMetric(where: string, options: NdcgOptions, kind: RetrievalKind): QueryMetric {
  return new Metric(
    meanRule(ruleName(where, options), "max", (yTrue: Values, yScore: Values) =>
      queryScores(where, [yTrue, yScore], { ...options, kind }),
    ),
  );
}

/** Streaming `ndcgScore`. @shape update: yTrue, yScore [queries, documents] @source See metrics.ndcgScore. */
export function ndcgScore(options: NdcgOptions = {}): QueryMetric {
  return queryMetric("ndcgScore", options, "ndcg");
}

/** Streaming `precisionAtK`. @shape update: yTrue, yScore [queries, documents] @source See metrics.precisionAtK. */
export function precisionAtK(options: RetrievalOptions = {}): QueryMetric {
  return queryMetric("precisionAtK", options, "precision");
}

/** Streaming `recallAtK`. @shape update: yTrue, yScore [queries, documents] @source See metrics.recallAtK. */
export function recallAtK(options: RetrievalOptions = {}): QueryMetric {
  return queryMetric("recallAtK", options, "recall");
}

/** Streaming `meanReciprocalRank`. @shape update: yTrue, yScore [queries, documents] @source See metrics.meanReciprocalRank. */
export function meanReciprocalRank(options: RetrievalOptions = {}): QueryMetric {
  return queryMetric("meanReciprocalRank", options, "reciprocalRank");
}

/** Streaming `hitRate`. @shape update: yTrue, yScore [queries, documents] @source See metrics.hitRate. */
export function hitRate(options: RetrievalOptions = {}): QueryMetric {
  return queryMetric("hitRate", options, "hit");
}

/**
 * Streaming `meanAveragePrecision`: keeps the boxes of every image.
 *
 * @shape update: targets [images], predictions [images] -> number
 * @source See metrics.meanAveragePrecision.
 */
export function meanAveragePrecision(
  options: MeanAveragePrecisionOptions = {},
): Metric<[targets: readonly BoxTargets[], predictions: readonly BoxPredictions[]], number> {
  const where = "meanAveragePrecision";
  return new Metric({
    name: ruleName(where, options),
    mode: "max",
    measure: (targets: readonly BoxTargets[], predictions: readonly BoxPredictions[]) => {
      assertSameLength(where, ["targets", targets.length], ["predictions", predictions.length]);
      return { rows: targets.map((target, i) => rowOf(readImage(where, target, predictions[i]!))) };
    },
    value: ({ rows }) => meanAveragePrecisionOf(where, rows.map(imageOf), options),
  });
}

/** Number of targets, then of each label and box; then of each detection label, score and box. */
function rowOf({ targets, found }: DetectedImage): number[] {
  return [
    targets.length,
    ...targets.flatMap(({ label, box }) => [label, ...box]),
    ...found.flatMap(({ label, score, box }) => [label, score, ...box]),
  ];
}

function imageOf(row: readonly number[]): DetectedImage {
  const boxAt = (place: number): Box => row.slice(place, place + 4) as unknown as Box;
  const numTargets = row[0]!;
  const begin = 1 + 5 * numTargets;
  return {
    targets: Array.from({ length: numTargets }, (_, i) => ({ label: row[1 + 5 * i]!, box: boxAt(2 + 5 * i) })),
    found: Array.from({ length: (row.length - begin) / 6 }, (_, i) => {
      const place = begin + 6 * i;
      return { label: row[place]!, score: row[place + 1]!, box: boxAt(place + 2) };
    }),
  };
}
