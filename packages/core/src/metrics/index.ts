export {
  type AccuracyOptions,
  accuracyScore,
  type BalancedAccuracyOptions,
  balancedAccuracyScore,
  type TopKOptions,
  topKAccuracyScore,
} from "./accuracy.js";
export { type BleuOptions, bleuScore, type References } from "./bleu.js";
export { type Box, boxIou, nonMaximumSuppression } from "./boxes.js";
export type { Average } from "./class-counts.js";
export { type ClassificationReportOptions, classificationReport } from "./classification-report.js";
export {
  type CohenKappaOptions,
  type ConfusionMatrixOptions,
  cohenKappa,
  confusionMatrix,
  matthewsCorrelation,
} from "./confusion-matrix.js";
export { characterErrorRate, editDistance, wordErrorRate } from "./edit-distance.js";
export {
  type FBetaOptions,
  type FScoreOptions,
  f1Score,
  fBetaScore,
  precisionScore,
  recallScore,
  specificityScore,
} from "./f-score.js";
export type { Values } from "./inputs.js";
export {
  type BoxPredictions,
  type BoxTargets,
  type MeanAveragePrecisionOptions,
  meanAveragePrecision,
} from "./mean-average-precision.js";
export { type Measure, Metric, type MetricRule, type Total } from "./metric.js";
export {
  beginPart,
  mergeNamedStates,
  type NamedMetrics,
  namedStates,
  namedValues,
  valuesOfStates,
} from "./named-metrics.js";
export { brierScore, type LogLossOptions, logLoss, perplexity } from "./probabilities.js";
export {
  type AveragePrecisionOptions,
  averagePrecisionScore,
  type CurveOptions,
  type PrecisionRecallCurve,
  precisionRecallCurve,
  type RocAucOptions,
  type RocCurve,
  rocAucScore,
  rocCurve,
} from "./ranking.js";
export {
  explainedVarianceScore,
  meanAbsoluteError,
  meanAbsolutePercentageError,
  meanSquaredError,
  type RegressionOptions,
  r2Score,
  rootMeanSquaredError,
} from "./regression.js";
export {
  hitRate,
  meanReciprocalRank,
  type NdcgOptions,
  ndcgScore,
  precisionAtK,
  type RetrievalOptions,
  recallAtK,
} from "./retrieval.js";
export { type RougeKind, type RougeScore, rougeScore } from "./rouge.js";
export { diceScore, iouScore, type RegionOptions } from "./segmentation.js";
export * as streaming from "./streaming/index.js";
export type { Sentence, Token } from "./text-inputs.js";
