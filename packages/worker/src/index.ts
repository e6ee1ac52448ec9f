/** One rank of a run: what a job is, how it is computed, how a worker takes part. No Node imports: those are in `@lockstep/worker/node`. */

export { buildTraining, type Training, type TrainingSource } from "./engine/build-training.js";
export type {
  ComputeEngine,
  ComputeProgress,
  EngineInfo,
  EvaluatedMicroBatch,
  ExportedState,
  ImportedState,
  MicroBatchSum,
  PreparedEngine,
  StateFile,
} from "./engine/compute-engine.js";
export {
  type ChunkRead,
  DeviceMirror,
  type MirrorOptions,
  type MirrorRequest,
  type MirrorStep,
} from "./engine/device-mirror.js";
export type {
  ExplainedSample,
  ExplainOptions,
  Prediction,
  RunExplanation,
  SampleValues,
} from "./engine/explain-run.js";
export { InlineEngine } from "./engine/inline-engine.js";
export { formatMemoryPlan, type MemoryPlan, type MemoryPlanRow } from "./engine/memory-plan.js";
export { importWeights, modelFile, optimizerFile, type TrainerState, trainerFile } from "./engine/state-files.js";
export { TrainingEngine, type TrainingEngineOptions } from "./engine/training-engine.js";
export { modelTensors } from "./engine/training-state.js";
export { ConfigError, type ErrorReport, errorFromReport, errorReport, JobError, TrainingError } from "./errors.js";
export { assertJob } from "./job/assert-job.js";
export { type BaseConfig, baseConfigKeys, baseConfigSchema } from "./job/base-config.js";
export { findClosestName } from "./job/closest-name.js";
export {
  type AnyJob,
  type ConfigSchema,
  defineJob,
  type JobCallbacks,
  type JobConfig,
  type JobData,
  type JobDataset,
  type JobDefinition,
  type JobFileLocation,
  type LossSum,
  type MetricsOfJob,
  type StepInfo,
} from "./job/define-job.js";
export type { ExplainedBatch, ExplainedKind } from "./job/explained-batch.js";
export { createJobFiles, type JobFile, type JobFileSource, type JobFiles } from "./job/job-files.js";
export { type JobMetrics, jobMetrics } from "./job/job-metrics.js";
export { numMicroBatchesOf, type ParsedConfig, parseJobConfig, parseOverrides } from "./job/parse-config.js";
export { runWorker, type SessionResult } from "./session/run-worker.js";
export { defaultSessionTimeouts, type Log, type SessionPorts, type SessionTimeouts } from "./session/session-ports.js";
