/** @file The metrics of a job: made, checked, and asked for their values once every micro-batch of an evaluation is there. */
import { metrics } from "@lockstep/core";
import { ConfigError, JobError } from "../errors.js";
import type { AnyJob } from "./define-job.js";
import type { ParsedConfig } from "./parse-config.js";

/** How the coordinator, which knows no metric, comes to their values. */
export interface JobMetrics {
  /** Values of the states of all micro-batches, by name. The same for any order of the states. */
  readonly valuesOf: (states: readonly Uint8Array[]) => Readonly<Record<string, number>>;
  /** What the best state is the best in; undefined for the held-out loss. */
  readonly bestBy: { readonly metric: string; readonly mode: "min" | "max" } | undefined;
}

const reserved = ["loss", "evalLoss"];

/** @throws {JobError} E_JOB_METRICS for what are no metrics, or a name that is taken. */
export function metricsOf(job: AnyJob, config: ParsedConfig): metrics.NamedMetrics {
  const made: unknown = job.metrics?.(config) ?? {};
  const refuse = (what: string, fields = {}): never => {
    throw new JobError(
      `job "${job.name}": metrics(config) ${what}; it must give an object of metrics, for example { accuracy: metrics.streaming.accuracyScore() }. Change it.`,
      { job: job.name, ...fields },
      "E_JOB_METRICS",
    );
  };
  if (typeof made !== "object" || made === null) return refuse(`gave ${String(made)}`);
  for (const [name, metric] of Object.entries(made)) {
    if (!(metric instanceof metrics.Metric)) refuse(`gave no metric under "${name}"`, { name });
    if (!/^[\w.@-]{1,64}$/.test(name))
      refuse(`gave the name "${name}", not 1 to 64 letters, digits, "_", ".", "@" or "-"`, { name });
    if (reserved.includes(name)) refuse(`gave the name "${name}", which the held-out loss has`, { name });
  }
  return made as metrics.NamedMetrics;
}

/**
 * What the coordinator is given of a job's metrics; undefined for a job without.
 *
 * @throws {ConfigError} E_CONFIG when bestMetric names none of them.
 */
export function jobMetrics(job: AnyJob, config: ParsedConfig): JobMetrics | undefined {
  const made = metricsOf(job, config);
  const names = Object.keys(made);
  const { bestMetric, bestMode } = config;
  if (bestMetric !== "" && !names.includes(bestMetric)) {
    throw new ConfigError(
      `config: bestMetric is "${bestMetric}", and the metrics of job "${job.name}" are ${names.length === 0 ? "none" : names.join(", ")}; it must be one of them, or "" for the held-out loss. Change it.`,
      { bestMetric, names },
    );
  }
  if (names.length === 0) return undefined;
  const mode = bestMetric === "" || bestMode !== "auto" ? bestMode : made[bestMetric]!.mode;
  return {
    valuesOf: (states) => metrics.valuesOfStates(made, states),
    bestBy: bestMetric === "" || mode === "auto" ? undefined : { metric: bestMetric, mode },
  };
}
