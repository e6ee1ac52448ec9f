/** @file Shows what a trained model does with its evaluation data: all predictions, and some samples with what they rest on. */
import { explain, microBatchScope, noGrad, type Tensor, withBackend } from "@lockstep/core";
import type { SampleRef } from "@lockstep/data";
import {
  assertExplainedBatch,
  assertExplainedOutputs,
  type ExplainedBatch,
  type ExplainedKind,
} from "../job/explained-batch.js";
import type { Training } from "./build-training.js";

/** Numbers of one sample, in rows of `shape`. */
export interface SampleValues {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

export interface ExplainedSample {
  /** Place in the evaluation data. */
  readonly index: number;
  readonly target: number;
  readonly prediction: Prediction;
  readonly inputs: SampleValues;
  /** As inputs; for tokens summed over their features, [T]. Both explain what was predicted. */
  readonly gradientTimesInput: SampleValues;
  readonly integratedGradients: SampleValues;
  /** What integrated gradients add up to: what they must, and what they do. */
  readonly completeness: { readonly expected: number; readonly found: number };
  readonly pieces: readonly string[] | undefined;
  /** [heads, T, T], T the number of pieces where there are some. */
  readonly attention: SampleValues | undefined;
}

export interface Prediction {
  /** The likeliest class, or the value. */
  readonly value: number;
  /** Of the classes; undefined for values. */
  readonly probabilities: Float32Array | undefined;
}

export interface RunExplanation {
  readonly kind: ExplainedKind;
  readonly isClassifier: boolean;
  readonly classNames: readonly string[] | undefined;
  /** Of all evaluation data, in order. */
  readonly targets: readonly number[];
  readonly predictions: readonly Prediction[];
  /** First the worst mistakes, then others in their order. */
  readonly samples: readonly ExplainedSample[];
}

export interface ExplainOptions {
  /** Samples to explain. Default 16. */
  readonly numSamples?: number;
}

/**
 * Undefined when the job has no `explain`, or nothing to explain, or no evaluation data. Leaves the model as it was.
 *
 * @throws {JobError} E_JOB_EXPLAIN when the job's answer does not fit; what core's `explain` throws.
 */
export function explainRun(training: Training, { numSamples = 16 }: ExplainOptions = {}): RunExplanation | undefined {
  if (training.source.job.explain === undefined || training.evalGrid.length === 0) return undefined;
  return withoutParameterGradients(training, () => {
    if (!asEvaluated(training, () => hasAnswer(training, training.evalGrid[0]!))) return undefined;
    const parts = training.evalGrid.map((samples) => asEvaluated(training, () => predictionsOf(training, samples)));
    const { kind, classNames, isClassifier } = parts[0]!;
    const targets = parts.flatMap((part) => part.targets);
    const predictions = parts.flatMap((part) => part.predictions);
    const chosen = chooseSamples({ targets, predictions, numSamples: Math.min(numSamples, targets.length) });
    const refs = training.evalGrid.flat();
    const samples = asEvaluated(training, () =>
      explainSamples(
        training,
        chosen.map((i) => refs[i]!),
      ).map((sample, k) => ({
        ...sample,
        index: refs[chosen[k]!]!.index,
        prediction: predictions[chosen[k]!]!,
      })),
    );
    return { kind, classNames, isClassifier, targets, predictions, samples };
  });
}

/** Half of the samples by how wrong they are, the worst first; then others in order. */
export function chooseSamples(from: {
  readonly targets: readonly number[];
  readonly predictions: readonly Prediction[];
  readonly numSamples: number;
}): number[] {
  const { targets, predictions, numSamples } = from;
  const errors = predictions.map(({ value, probabilities }, i) => {
    if (probabilities === undefined) return Math.abs(value - targets[i]!);
    return value === targets[i] ? 0 : probabilities[value]!;
  });
  const wrong = [...errors.keys()]
    .filter((i) => errors[i]! > 0)
    .sort((a, b) => errors[b]! - errors[a]! || a - b)
    .slice(0, Math.ceil(numSamples / 2));
  const others = [...errors.keys()].filter((i) => !wrong.includes(i));
  return [...wrong, ...others].slice(0, numSamples);
}

function predictionsOf(training: Training, samples: readonly SampleRef[]) {
  const batch = answerOf(training, samples);
  const outputs = batch.outputs(batch.inputs);
  assertExplainedOutputs(batch, { outputs }, training.source.job.name);
  const isClassifier = outputs.numDims === 2;
  const values = isClassifier ? outputs.argMax(1).dataSync() : outputs.dataSync();
  const probabilities = isClassifier ? rowsOf(outputs.softmax(1)) : undefined;
  return {
    kind: batch.kind,
    classNames: batch.classNames,
    isClassifier,
    targets: Array.from(batch.targets.dataSync()),
    predictions: Array.from(values, (value, i): Prediction => ({ value, probabilities: probabilities?.[i]?.values })),
  };
}

function explainSamples(
  training: Training,
  samples: readonly SampleRef[],
): Omit<ExplainedSample, "index" | "prediction">[] {
  const batch = answerOf(training, samples);
  const { inputs, pieces, baseline } = batch;
  const outputs = (x: Tensor): Tensor => batch.outputs(x);
  const attention = batch.attention?.();
  assertExplainedOutputs(batch, { outputs: outputs(inputs), attention }, training.source.job.name);
  const integrated = explain.integratedGradients(outputs, inputs, baseline === undefined ? {} : { baseline });
  const perPiece = (x: Tensor): SampleValues[] => rowsOf(batch.kind === "tokens" ? x.sum(2) : x);
  const rows = {
    inputs: rowsOf(inputs),
    gradient: perPiece(explain.gradientTimesInput(outputs, inputs)),
    integrated: perPiece(integrated.attributions),
    attention: attention === undefined ? undefined : rowsOf(attention),
  };
  const [at, from] = [integrated.outputs.dataSync(), integrated.baselineOutputs.dataSync()];
  const targets = batch.targets.dataSync();
  return samples.map((_, i) => {
    const texts = pieces?.[batch.kind === "columns" ? 0 : i];
    return {
      target: targets[i]!,
      inputs: rows.inputs[i]!,
      gradientTimesInput: rows.gradient[i]!,
      integratedGradients: rows.integrated[i]!,
      completeness: {
        expected: at[i]! - from[i]!,
        found: rows.integrated[i]!.values.reduce((sum, value) => sum + value, 0),
      },
      pieces: texts,
      attention: rows.attention && croppedAttention(rows.attention[i]!, texts?.length),
    };
  });
}

function hasAnswer(training: Training, samples: readonly SampleRef[]): boolean {
  const { job } = training.source;
  return job.explain!(training.model, training.data.eval!.batch(samples)) !== undefined;
}

function answerOf(training: Training, samples: readonly SampleRef[]): ExplainedBatch {
  const { job } = training.source;
  const answer: unknown = job.explain!(training.model, training.data.eval!.batch(samples));
  assertExplainedBatch(answer, job.name, samples.length);
  return answer;
}

/** As an evaluation runs: without gradients, with draws that depend on the seed alone; tensors are freed at the end. */
function asEvaluated<T>({ source: { backend, seed } }: Training, fn: () => T): T {
  return withBackend(backend, () => noGrad(() => microBatchScope({ seed, step: 0, m: 0 }, fn)));
}

/** Attributions are of inputs: no parameter collects a gradient meanwhile. */
function withoutParameterGradients<T>({ model }: Training, fn: () => T): T {
  const trained = model.parameters().filter(({ requiresGrad }) => requiresGrad);
  for (const parameter of trained) parameter.requiresGrad = false;
  try {
    return fn();
  } finally {
    for (const parameter of trained) parameter.requiresGrad = true;
  }
}

function rowsOf(x: Tensor): SampleValues[] {
  const values = Float32Array.from(x.dataSync());
  const shape = x.shape.slice(1);
  const size = shape.reduce((product, length) => product * length, 1);
  return Array.from({ length: x.shape[0]! }, (_, i) => ({ shape, values: values.slice(i * size, (i + 1) * size) }));
}

/** The first `length` rows and columns of each head. */
function croppedAttention({ shape, values }: SampleValues, length: number | undefined): SampleValues {
  const [numHeads, T] = shape as [number, number];
  if (length === undefined || length === T) return { shape, values };
  const cropped = new Float32Array(numHeads * length * length);
  for (let row = 0; row < numHeads * length; row++) {
    const start = (Math.floor(row / length) * T + (row % length)) * T;
    cropped.set(values.subarray(start, start + length), row * length);
  }
  return { shape: [numHeads, length, length], values: cropped };
}
