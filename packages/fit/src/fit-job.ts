/**
 * @file A definition as a job: what a plain process, and every worker of a run, trains. One job for both, so that the bits are the same.
 *
 * The samples come as a file of the job, the options of `fit` as its configuration.
 */
import { type nn, type optim, schedules, type Tensor } from "@lockstep/core";
import type { SampleRef } from "@lockstep/data";
import { type AnyJob, defineJob, type JobDataset } from "@lockstep/worker";
import * as z from "zod";
import { columnDataset } from "./column-dataset.js";
import { type Columns, decodeColumns } from "./columns.js";
import { type FitDefinition, lossFunctionOf, type ModelInputs, namedOptimizers } from "./definition.js";
import { FitError } from "./fit-error.js";
import { measure, measuredMetrics } from "./fit-metrics.js";
import { sampleWeights, weightedLoss } from "./weighted-loss.js";

/** The job's name for the file of samples. */
export const samplesFile = "samples";

const config = z.object({
  stepsPerEpoch: z.int().positive().default(1),
  classWeight: z.record(z.string(), z.number().nonnegative()).default({}),
});

interface FitBatch {
  readonly inputs: ModelInputs;
  readonly targets: Tensor;
  readonly weights: readonly number[] | undefined;
}

/** @throws {FitError} E_FIT_DATA from `data` when the file holds no samples or no targets. */
export function jobOf<I extends ModelInputs, M extends nn.Module>(definition: FitDefinition<I, M>): AnyJob {
  const loss = lossFunctionOf(definition as unknown as FitDefinition);
  const { name = "model", learningRate = 1e-3, maxGradNorm = 0 } = definition;
  const measured = measuredMetrics(definition.metrics);
  const forward = (model: nn.Module, inputs: ModelInputs) => forwardOf(definition, model as M, inputs as I);
  return defineJob({
    name,
    config,
    training: { maxGradNorm },
    files: () => ({ [samplesFile]: `${samplesFile}.safetensors` }),
    data: ({ classWeight }, files) => {
      const { train, eval: held } = decodeColumns(files.bytes(samplesFile));
      return {
        train: datasetOf(train, classWeight),
        ...(held === undefined ? {} : { eval: datasetOf(held, {}) }),
      };
    },
    model: () => networkOf(definition),
    loss: (model, { inputs, targets, weights }: FitBatch) => {
      const given = definition.augment ? definition.augment(inputs as I) : inputs;
      return weightedLoss(loss, forward(model, given), { targets, weights });
    },
    metrics: () => Object.fromEntries(Object.entries(measured).map(([name, { metric }]) => [name, metric()])),
    evaluate: (model, { inputs, targets, weights }: FitBatch, made) => {
      const outputs = forward(model, inputs);
      measure(measured, made, { outputs, targets });
      return weightedLoss(loss, outputs, { targets, weights });
    },
    optimizer: (_, model) => optimizerOf(definition, model as M),
    schedule: ({ totalSteps, stepsPerEpoch }) =>
      definition.schedule?.({ totalSteps, stepsPerEpoch, learningRate }) ?? schedules.constant(learningRate),
  }) as unknown as AnyJob;
}

/** The network. @throws {FitError} E_FIT_DEFINITION when it is none. */
export function networkOf<M extends nn.Module>({ model }: { model(): M }): M {
  const network = model();
  if (typeof (network as Partial<nn.Module> | undefined)?.namedParameters === "function") return network;
  const text = `compile: model() gave ${network === null ? "null" : typeof network} that is no nn.Module; it must be a network: a class that extends nn.Module, or nn.Sequential.`;
  throw new FitError("E_FIT_DEFINITION", text);
}

/** Outputs of a batch. */
export function forwardOf<I extends ModelInputs, M extends nn.Module>(
  definition: FitDefinition<I, M>,
  model: M,
  inputs: I,
): Tensor {
  if (definition.forward) return definition.forward(model, inputs);
  return (model as unknown as { forward(inputs: I): Tensor }).forward(inputs);
}

function datasetOf(columns: Columns | undefined, classWeight: Readonly<Record<string, number>>): JobDataset<FitBatch> {
  if (columns?.targets === undefined) {
    throw new FitError("E_FIT_DATA", "fit: the file of samples has no targets; fit must be given y.", {});
  }
  const dataset = columnDataset(columns);
  const weights = sampleWeights(columns.targets, columns.sampleWeight, classWeight);
  return {
    size: dataset.size,
    batch: (samples: readonly SampleRef[]) => {
      const { inputs, targets } = dataset.batch(samples);
      return { inputs, targets: targets!, weights: weights && samples.map(({ index }) => weights[index]!) };
    },
  };
}

function optimizerOf<M extends nn.Module>(
  { optimizer = "adamw" }: Pick<FitDefinition<never, M>, "optimizer">,
  model: M,
): optim.Optimizer {
  if (typeof optimizer === "function") return optimizer(model);
  return new namedOptimizers[optimizer]([...model.parameters()]) as unknown as optim.Optimizer;
}
