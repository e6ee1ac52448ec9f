/** @file What a fit measures on held-out samples: metrics by name, or core's streaming metrics with what they are fed. */
import { metrics, type Tensor } from "@lockstep/core";
import { FitError } from "./fit-error.js";

const { streaming } = metrics;

/** What a metric compares the targets with: the outputs, the class they say, or their probabilities. */
export type Prediction = "outputs" | "labels" | "probabilities";

/** A metric, and what it sees. */
export interface MeasuredMetric {
  // biome-ignore lint/suspicious/noExplicitAny: what a metric is updated with depends on what it is given here.
  readonly metric: () => metrics.Metric<any, number>;
  /** Or a function of the outputs. Default "outputs". */
  readonly of?: Prediction | ((outputs: Tensor) => unknown);
}

const named = {
  accuracy: { metric: () => streaming.accuracyScore(), of: "labels" },
  precision: { metric: () => streaming.precisionScore({ average: "macro" }), of: "labels" },
  recall: { metric: () => streaming.recallScore({ average: "macro" }), of: "labels" },
  f1: { metric: () => streaming.f1Score({ average: "macro" }), of: "labels" },
  top5Accuracy: { metric: () => streaming.topKAccuracyScore({ k: 5 }), of: "outputs" },
  logLoss: { metric: () => streaming.logLoss(), of: "probabilities" },
  rocAuc: { metric: () => streaming.rocAucScore(), of: "probabilities" },
  mse: { metric: () => streaming.meanSquaredError(), of: "outputs" },
  mae: { metric: () => streaming.meanAbsoluteError(), of: "outputs" },
  r2: { metric: () => streaming.r2Score(), of: "outputs" },
} as const satisfies Record<string, MeasuredMetric>;

export type MetricName = keyof typeof named;

/** Names, or metrics by the name that logs show. */
export type FitMetrics = readonly MetricName[] | Readonly<Record<string, MetricName | MeasuredMetric>>;

/** @throws {FitError} E_FIT_DEFINITION for a name that is none. */
export function measuredMetrics(given: FitMetrics = []): Readonly<Record<string, MeasuredMetric>> {
  const entries: [string, MetricName | MeasuredMetric][] = Array.isArray(given)
    ? (given as readonly MetricName[]).map((name) => [name, name])
    : Object.entries(given);
  return Object.fromEntries(
    entries.map(([name, metric]) => {
      const measured = typeof metric === "string" ? named[metric] : metric;
      if (typeof measured?.metric !== "function") {
        const text = `compile: the metric "${name}" is ${JSON.stringify(metric)}; it must be one of ${Object.keys(named).join(", ")}, or { metric: () => metrics.streaming... }.`;
        throw new FitError("E_FIT_DEFINITION", text, { name });
      }
      return [name, measured];
    }),
  );
}

/** Feeds every metric with one batch. */
export function measure(
  measured: Readonly<Record<string, MeasuredMetric>>,
  made: Readonly<Record<string, metrics.NamedMetrics[string]>>,
  { outputs, targets }: { readonly outputs: Tensor; readonly targets: Tensor },
): void {
  for (const [name, { of = "outputs" }] of Object.entries(measured)) {
    made[name]!.update(targets, typeof of === "function" ? of(outputs) : predictionOf(outputs, of, targets));
  }
}

/** Labels and probabilities of logits: [N, C] over classes, [N] or [N, 1] of one class against none. */
function predictionOf(outputs: Tensor, of: Prediction, targets: Tensor): Tensor {
  if (of === "outputs") return outputs;
  const isBinary = outputs.shape.length === targets.shape.length;
  if (of === "labels") return isBinary ? outputs.gt(0).cast("i32") : outputs.argMax(-1);
  if (isBinary) return outputs.sigmoid();
  const probabilities = outputs.softmax(-1);
  const numClasses = outputs.shape.at(-1)!;
  return numClasses === 2 ? probabilities.at("...", 1) : probabilities;
}
