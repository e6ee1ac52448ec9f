/**
 * @file What a job is: the module a run trains, the same on every machine.
 *
 * Every function here must give the same result on every worker (L1): randomness only from core's scoped generator, mathematics
 * only from `+ - * /`, sqrt and core's scalar-math, no clock, no environment. The probe micro-batch finds most violations.
 * Not here: how the configuration is read (parse-config.ts), how a bundle becomes a module (node/job-loader.ts).
 */
import type { metrics, nn, optim, schedules, Tensor } from "@lockstep/core";
import type { SampleRef, Tokenizer } from "@lockstep/data";
import type * as z from "zod";
import type { BaseConfig } from "./base-config.js";
import type { ExplainedBatch } from "./explained-batch.js";
import type { JobFiles } from "./job-files.js";

/** The zod object of a job's own keys. */
export type ConfigSchema = z.ZodObject;

/** What the functions of a job receive: the keys every job has and its own. */
export type JobConfig<S extends ConfigSchema> = BaseConfig & z.infer<S>;

/** Random access to samples, collated to a batch. */
export interface JobDataset<Batch> {
  /** Samples of an epoch. */
  readonly size: number;
  /** Tensors are created in the current backend scope. The same samples give the same bits. */
  batch(samples: readonly SampleRef[]): Batch;
}

export interface JobData<Batch> {
  readonly train: JobDataset<Batch>;
  readonly eval?: JobDataset<Batch>;
  /** Kept with the run, so that `generate` can read and write text. */
  readonly tokenizer?: Tokenizer;
}

/** Sum over the samples (or trained tokens) of a micro-batch, and how many they were. */
export interface LossSum {
  /** Scalar, not divided by anything. */
  readonly sum: Tensor;
  /** Samples or tokens in the sum; 0 is legal, a step whose weights are all 0 is an error. */
  readonly weight: number;
}

/** What a callback sees of a committed step. */
export interface StepInfo {
  readonly step: number;
  readonly learningRate: number;
  /** Global norm of the gradient before clipping. */
  readonly gradNorm: number;
}

export interface JobCallbacks<Model> {
  /** After the update of every step, on every worker. Must not change the model. */
  afterStep?(info: StepInfo, model: Model): void;
}

/** Streaming metrics of core, by the name under which results show them. */
export interface MetricsOfJob {
  // biome-ignore lint/suspicious/noExplicitAny: what a metric is updated with is known to who updates it.
  readonly [name: string]: metrics.Metric<any, number>;
}

/** Where a file of a job is, and what to do where it is not: a sentence that takes the place of the usual advice. */
export type JobFileLocation = string | { readonly path: string; readonly ifMissing: string };

type BatchOf<D> = D extends JobData<infer Batch> ? Batch : never;

/**
 * A job. Methods are called in the order of the fields.
 *
 * @example
 * // not run: the data set and the network are left out
 * export default defineJob({
 *   name: "xor",
 *   config: z.object({ hiddenDim: z.number().int().positive().default(16) }),
 *   training: { globalBatchSize: 32, microBatchSize: 8, totalSteps: 200 },
 *   data: (config) => ({ train: xorDataset }),
 *   model: (config) => new XorNet(config.hiddenDim),
 *   loss: (model, batch) => losses.mseLoss(model.forward(batch.x), batch.y),
 *   optimizer: (config, model) => new optim.AdamW(model.parameters(), { weightDecay: 0.01 }),
 *   schedule: (config) => schedules.constant(1e-2),
 * });
 */
export interface JobDefinition<
  S extends ConfigSchema = ConfigSchema,
  D extends JobData<unknown> = JobData<unknown>,
  M extends nn.Module = nn.Module,
  E extends MetricsOfJob = MetricsOfJob,
> {
  /** Names the run directory. Letters, digits, "-", "_" and ".". */
  readonly name: string;
  /** The job's own keys, each with a default. */
  readonly config?: S;
  /** Other defaults for the keys every job has. */
  readonly training?: Partial<BaseConfig>;
  /**
   * Files the job reads, by the name under which `data` asks for them: a path relative to the job module, a folder (all files in it,
   * sorted by path), or `npm:package/path`. They travel to every worker.
   */
  files?(config: JobConfig<S>): Readonly<Record<string, JobFileLocation>>;
  data(config: JobConfig<S>, files: JobFiles): D;
  /** Called in the scope of the run's seed: initial weights are the same on every worker. */
  model(config: JobConfig<S>, data: D): M;
  loss(model: M, batch: BatchOf<D>): LossSum;
  /** Measured at every evaluation, by the name under which results show them; fed by `evaluate`. Streaming metrics of core, or one's own. */
  metrics?(config: JobConfig<S>): E;
  /**
   * One micro-batch of an evaluation, without gradients: its loss, and what the metrics see of it (`metrics.accuracy.update(...)`). Their
   * values depend on the micro-batches alone, not on who computed them. Default: `loss`.
   */
  evaluate?(model: M, batch: BatchOf<D>, metrics: E): LossSum;
  /**
   * What can be shown of one evaluation batch: predictions, and what they rest on. Asked by `lockstep report` alone, never by a run. The
   * model is in evaluation mode.
   */
  explain?(model: M, batch: BatchOf<D>): ExplainedBatch;
  /** What the weights of `loss` count; "tokens" gives tokensPerSec in the metrics. Default "samples". */
  readonly unit?: "samples" | "tokens";
  /** Its learning rate is set from `schedule` before every step. */
  optimizer(config: JobConfig<S>, model: M): optim.Optimizer;
  /** Learning rate of a step, 0-based, as an f64. */
  schedule(config: JobConfig<S>): (step: number) => number;
  /**
   * Keeps an exponential average of the weights: evaluation, `generate` and `evaluate` use it, checkpoints hold it beside the optimizer's
   * state. Buffers (BatchNorm) are those of the weights.
   */
  readonly ema?: optim.WeightEmaOptions;
  /**
   * Multiplies the schedule's rate by a factor when the held-out loss stops falling. Evaluates every `evalIntervalSteps`, which must not be
   * 0, once more than the run does for its metrics.
   */
  readonly plateau?: schedules.PlateauOptions;
  readonly callbacks?: JobCallbacks<M>;
}

/** Any job, for code that does not know which. */
export type AnyJob = JobDefinition;

/** States the types of a job. Returns it as it is; `assertJob` checks what a module exports. */
export function defineJob<
  S extends ConfigSchema,
  D extends JobData<unknown>,
  M extends nn.Module,
  E extends MetricsOfJob = MetricsOfJob,
>(job: JobDefinition<S, D, M, E>): JobDefinition<S, D, M> {
  return job as JobDefinition<S, D, M>;
}
