/** @file One micro-batch forward and backward, its gradient folded into the node it belongs to while the backward pass runs. */
import {
  assertFiniteGradient,
  assertFiniteLoss,
  dropGradient,
  foldStatistics,
  type LeafFold,
  metrics,
  microBatchScope,
  type NodeStack,
  noGrad,
  type Tensor,
  type TrainingPlace,
  withBackend,
} from "@lockstep/core";
import type { SampleRef } from "@lockstep/data";
import { maxMetricStateBytes } from "@lockstep/protocol";
import { JobError, TrainingError } from "../errors.js";
import type { LossSum } from "../job/define-job.js";
import type { Training } from "./build-training.js";
import type { EvaluatedMicroBatch, MicroBatchSum } from "./compute-engine.js";

export interface FoldTarget {
  readonly stack: NodeStack;
  /** Told of each parameter and entry of statistics, by its place in the flat order, once its part of the node is final. */
  readonly onParameter?: (index: number, fold: LeafFold) => void;
}

/**
 * Forward, backward, fold. Gradients are freed as soon as they are folded.
 *
 * @throws {NotFiniteError} E_NOT_FINITE for the loss or a gradient, with step, micro-batch, worker and parameter.
 */
export function trainMicroBatch(training: Training, place: TrainingPlace, target: FoldTarget): MicroBatchSum {
  const { source, parameters, layout } = training;
  const m = place.microBatch!;
  const stepIndex = place.step! - 1;
  return withBackend(source.backend, () =>
    microBatchScope({ seed: source.seed, step: stepIndex, m }, () => {
      const { sum, weight } = lossOf(training, training.sampler.microBatch(stepIndex, m), "train");
      const loss = sum.itemSync();
      assertFiniteLoss(loss, place);
      const fold = target.stack.leaf(weight);
      foldStatistics(training.statistics, fold, {
        firstIndex: parameters.length,
        check: (index, sums) =>
          assertFiniteGradient(source.backend, sums, { ...place, parameter: layout.parameters[index]!.name }),
        onEntry: (index) => target.onParameter?.(index, fold),
      });
      const take = (index: number): void => {
        const parameter = parameters[index]!;
        const { grad } = parameter;
        if (grad !== undefined) {
          assertFiniteGradient(source.backend, grad, { ...place, parameter: layout.parameters[index]!.name });
        }
        fold.add(index, grad);
        dropGradient(parameter);
        target.onParameter?.(index, fold);
      };
      backwardInto(sum, parameters, take);
      fold.finish();
      return [m, loss, weight];
    }),
  );
}

/**
 * Backward from a loss; `seed` [] is its cotangent, 1 unless given. `take` is called once for each parameter, by its place in the flat order, as soon as its gradient is final; for those that
 * nothing reached, at the end.
 */
export function backwardInto(
  sum: Tensor,
  parameters: readonly Tensor[],
  take: (index: number) => void,
  { seed }: { readonly seed?: Tensor | undefined } = {},
): void {
  const waiting = new Map(parameters.map((parameter, index) => [parameter, index]));
  const onGradReady = (leaf: Tensor): void => {
    const index = waiting.get(leaf);
    if (index === undefined) return;
    waiting.delete(leaf);
    take(index);
  };
  if (sum.requiresGrad) sum.backward({ onGradReady, ...(seed === undefined ? {} : { cotangent: seed }) });
  for (const index of waiting.values()) take(index);
}

/** Runs `fn` with the model as it is evaluated: its mode, and the average of its weights where the job keeps one. */
export function evaluating<T>({ model, average }: Pick<Training, "model" | "average">, fn: () => T): T {
  model.eval();
  average?.swap();
  try {
    return fn();
  } finally {
    average?.swap();
    model.train();
  }
}

/** Loss and metrics of one evaluation micro-batch. @throws {TrainingError} E_METRIC_STATE for a state that is too large to send. */
export function evalMicroBatch(training: Training, place: TrainingPlace): EvaluatedMicroBatch {
  const { backend, seed } = training.source;
  const m = place.microBatch!;
  return withBackend(backend, () =>
    noGrad(() =>
      microBatchScope({ seed, step: 0, m }, () => {
        metrics.beginPart(training.metrics, m);
        const { sum, weight } = lossOf(training, training.evalGrid[m]!, "eval");
        const loss = sum.itemSync();
        assertFiniteLoss(loss, place);
        if (Object.keys(training.metrics).length === 0) return [m, loss, weight];
        return [m, loss, weight, stateOf(training, m)];
      }),
    ),
  );
}

function stateOf(training: Training, microBatch: number): Uint8Array<ArrayBuffer> {
  const state = metrics.namedStates(training.metrics) as Uint8Array<ArrayBuffer>;
  if (state.byteLength <= maxMetricStateBytes) return state;
  const names = Object.entries(training.metrics).map(([name, metric]) => `${name} ${metric.state().byteLength}`);
  throw new TrainingError(
    `metrics: evaluation micro-batch ${microBatch} gives a state of ${state.byteLength} bytes (${names.join(", ")}); it must be at most ${maxMetricStateBytes} (maxMetricStateBytes). Lower microBatchSize, or leave a metric out that keeps every score.`,
    { microBatch, byteLength: state.byteLength },
    "E_METRIC_STATE",
  );
}

/** The job's loss of samples, checked. */
export function lossOf(training: Training, samples: readonly SampleRef[], part: "train" | "eval"): LossSum {
  return lossOfBatch(training, batchOf(training, samples, part), part);
}

/** Samples as the job's data puts them together. */
export function batchOf(training: Training, samples: readonly SampleRef[], part: "train" | "eval"): unknown {
  return training.data[part]!.batch(samples);
}

/** The job's loss of a batch, checked. */
export function lossOfBatch(training: Training, batch: unknown, part: "train" | "eval"): LossSum {
  const { job } = training.source;
  const result: Partial<LossSum> | undefined =
    part === "eval" && job.evaluate !== undefined
      ? job.evaluate(training.model, batch, training.metrics)
      : job.loss(training.model, batch);
  if (result?.sum === undefined || typeof result.weight !== "number" || result.sum.size !== 1) {
    throw new JobError(
      `job "${job.name}": ${part === "eval" && job.evaluate !== undefined ? "evaluate(model, batch, metrics)" : "loss(model, batch)"} gave ${describe(result)}; it must give { sum, weight }: a scalar tensor and a number. Core's losses return both.`,
      { job: job.name },
      "E_JOB_LOSS",
    );
  }
  return result as LossSum;
}

function describe(result: Partial<LossSum> | undefined): string {
  if (result === undefined || result === null || typeof result !== "object") return String(result);
  const shape = result.sum === undefined ? "no sum" : `a sum of shape [${result.sum.shape.join(", ")}]`;
  return `${shape} and a weight of type ${typeof result.weight}`;
}
