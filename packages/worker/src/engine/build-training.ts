/** @file Calls a job's functions in order and checks what they return: data, model, optimizer, schedule. */
import {
  type Backend,
  type FlatLayout,
  flatLayout,
  keep,
  type metrics,
  type nn,
  optim,
  parametersInFlatOrder,
  seedScope,
  type Tensor,
  trainedParameters,
  untracked,
  withBackend,
} from "@lockstep/core";
import { createSampler, evalMicroBatches, type SampleRef, type Sampler } from "@lockstep/data";
import { JobError } from "../errors.js";
import type { AnyJob, JobData } from "../job/define-job.js";
import type { JobFiles } from "../job/job-files.js";
import { metricsOf } from "../job/job-metrics.js";
import { numMicroBatchesOf, type ParsedConfig } from "../job/parse-config.js";
import { buildPlateau, type HeldOutPlateau } from "./held-out-plateau.js";

export interface TrainingSource {
  readonly job: AnyJob;
  readonly config: ParsedConfig;
  readonly seed: number;
  readonly files: JobFiles;
  readonly backend: Backend;
}

/** A job, built: everything that one step needs. */
export interface Training {
  readonly source: TrainingSource;
  readonly data: JobData<unknown>;
  readonly model: nn.Module;
  readonly optimizer: optim.Optimizer;
  /** The average of the weights, where the job keeps one. */
  readonly average: optim.WeightEma | undefined;
  readonly schedule: (step: number) => number;
  /** Lowers the schedule's rate, where the job has a plateau. */
  readonly plateau: HeldOutPlateau | undefined;
  readonly layout: FlatLayout;
  /** The trained ones, in flat order. */
  readonly parameters: readonly Tensor[];
  /** Modules with running statistics, then the plateau; their entries in the layout follow the parameters'. */
  readonly statistics: readonly nn.StatisticsSource[];
  readonly sampler: Sampler;
  readonly numMicroBatches: number;
  /** Samples of each evaluation micro-batch: the data set in its own order, the last one shorter. */
  readonly evalGrid: readonly (readonly SampleRef[])[];
  /** The job's; none where it has none. */
  readonly metrics: metrics.NamedMetrics;
}

/**
 * @param onModel told of the model before what is made from it, which may not fit in memory.
 * @throws {JobError} E_JOB_DATA for data without samples, E_JOB_MODEL for a model without trained parameters, E_JOB_SCHEDULE for a schedule
 *   that is no function; whatever the job's functions throw.
 */
export function buildTraining(source: TrainingSource, onModel: (model: nn.Module) => void = () => {}): Training {
  const { job, config, seed, files, backend } = source;
  const { globalBatchSize, microBatchSize } = config;
  return withBackend(backend, () =>
    untracked(() => {
      const data = job.data(config, files);
      assertData(data, job.name);
      const model = buildModel(source, data);
      onModel(model);
      const schedule = job.schedule(config);
      if (typeof schedule !== "function") {
        throw new JobError(
          `job "${job.name}": schedule(config) gave a ${typeof schedule}; it must give a function of the step. Use core's schedules.`,
          { job: job.name },
          "E_JOB_SCHEDULE",
        );
      }
      const optimizer = job.optimizer(config, model);
      assertTrained(job.name, model);
      const plateau = buildPlateau(job, { backend, config, hasEvalData: data.eval !== undefined });
      const statistics: (readonly [string, nn.StatisticsSource])[] = [
        ...model.namedStatistics(),
        ...(plateau === undefined ? [] : [["evaluation", plateau] as const]),
      ];
      return {
        source,
        data,
        model,
        optimizer,
        average: job.ema === undefined ? undefined : new optim.WeightEma(model.parameters(), job.ema),
        schedule,
        plateau,
        layout: flatLayout(trainedParameters(model), statistics),
        parameters: parametersInFlatOrder(model),
        statistics: statistics.map(([, source]) => source),
        sampler: createSampler({ seed, size: data.train.size, globalBatchSize, microBatchSize }),
        numMicroBatches: numMicroBatchesOf(config),
        evalGrid: data.eval === undefined ? [] : evalMicroBatches(data.eval.size, microBatchSize),
        metrics: metricsOf(job, config),
      };
    }),
  );
}

/** The model with its initial weights: the same bits every time (the probe checks it). */
export function buildModel({ job, config, seed, backend }: TrainingSource, data: JobData<unknown>): nn.Module {
  const model = withBackend(backend, () => untracked(() => seedScope(seed, () => keep(job.model(config, data)))));
  if ([...model.namedParameters()].length === 0) {
    throw new JobError(
      `job "${job.name}": model(config, data) gave a model without parameters; it must have at least one. Assign layers to fields of the Module.`,
      { job: job.name },
      "E_JOB_MODEL",
    );
  }
  return model;
}

function assertTrained(job: string, model: nn.Module): void {
  const numParameters = model.parameters().length;
  if (trainedParameters(model).length > 0) return;
  throw new JobError(
    `job "${job}": all ${numParameters} parameters of its model are frozen; at least one must be trained. Set requiresGrad where it should be.`,
    { job, numParameters },
    "E_JOB_MODEL",
  );
}

function assertData(data: JobData<unknown>, job: string): void {
  for (const part of ["train", "eval"] as const) {
    const dataset = data[part];
    if (dataset === undefined && part === "eval") continue;
    if (dataset === undefined || !Number.isInteger(dataset.size) || dataset.size < 1) {
      throw new JobError(
        `job "${job}": data().${part} has ${dataset?.size ?? "no"} samples; it must have at least 1. Check the files and the length of a sample.`,
        { job, part, size: dataset?.size ?? null },
        "E_JOB_DATA",
      );
    }
  }
}
