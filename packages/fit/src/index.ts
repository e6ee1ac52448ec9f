/** compile, fit, evaluate, predict. This room runs anywhere; `lockstep` adds threads, files and workers. */

export type { EpochLog, FitCallback, FitControl, FitPlan, StepLog } from "./callbacks/index.js";
export * as callbacks from "./callbacks/index.js";
export type { Inputs, SampleArrays, Values } from "./columns.js";
export { compile, createCompile } from "./compile.js";
export { type BatchOptions, CompiledModel, type Evaluation, type History } from "./compiled-model.js";
export type { FitDefinition, FitLoss, Horizon, LossName, ModelInputs, OptimizerName } from "./definition.js";
export type { StepReport } from "./epoch-book.js";
export { FitError } from "./fit-error.js";
export type { FitMetrics, MeasuredMetric, MetricName, Prediction } from "./fit-metrics.js";
export type { FitOptions } from "./fit-options.js";
export type { EpochEnd, FitPorts, LaunchRequest, LaunchResult } from "./fit-ports.js";
