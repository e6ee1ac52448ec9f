/** @file What a step changes: its tensors in a fixed order, their hash, the update, the bytes they take. */
import {
  clipGradNorm,
  type HashedState,
  hashText,
  noGrad,
  optim,
  scope,
  stateHash,
  stateHashAsync,
  type Tensor,
  withBackend,
} from "@lockstep/core";
import { TrainingError } from "../errors.js";
import type { BaseConfig } from "../job/base-config.js";
import type { Training } from "./build-training.js";
import type { MemoryNeeds } from "./memory-plan.js";

/** Parameters, then buffers, in registration order, tied ones once: the order of the state dict. */
export function modelTensors({ model }: Pick<Training, "model">): [string, Tensor][] {
  return [...model.namedParameters(), ...model.namedBuffers()];
}

/** What an update keeps beside the model: the optimizer's tensors, then the averages of the weights. */
export function updateTensors({ optimizer, average }: Pick<Training, "optimizer" | "average">): [string, Tensor][] {
  return [...optimizer.namedState(), ...(average?.namedState() ?? [])].map(([name, tensor]) => [name, tensor]);
}

/** Everything that an update changes: the model's tensors, then the update's own. */
export function stateTensors(training: Training): readonly Tensor[] {
  return [...modelTensors(training), ...updateTensors(training)].map(([, tensor]) => tensor);
}

/** What an update keeps that is no tensor. Plain JSON. */
export function updateCounters({ optimizer, average, plateau }: Training): Readonly<Record<string, unknown>> {
  return {
    ...optimizer.counters(),
    ...(average === undefined ? {} : { average: average.counters() }),
    ...(plateau === undefined ? {} : { plateau: plateau.state() }),
  };
}

/** @throws {FormatError} E_FORMAT when the value is not what `updateCounters` gave. */
export function restoreUpdateCounters({ optimizer, average, plateau }: Training, counters: unknown): void {
  optimizer.restoreCounters(counters);
  const own = counters as { readonly average?: unknown; readonly plateau?: unknown };
  average?.restoreCounters(own.average);
  plateau?.restore(own.plateau);
}

/** Hash of the step, of parameters, buffers and the optimizer's tensors and counters (L2). @param step applied steps. */
export function trainingStateHash(training: Training, step: number): string {
  return stateHash(training.source.backend, hashedState(training, step));
}

/** As `trainingStateHash`, on every backend: of the state as it is at the call. */
export function trainingStateHashAsync(training: Training, step: number): Promise<string> {
  return stateHashAsync(training.source.backend, hashedState(training, step));
}

function hashedState(training: Training, step: number): HashedState {
  const { model } = training;
  return {
    parameters: [...model.namedParameters()].map(([, tensor]) => tensor),
    buffers: [...model.namedBuffers()].map(([, tensor]) => tensor),
    optimizer: updateTensors(training).map(([, tensor]) => tensor),
    counters: JSON.stringify({ step, optimizer: updateCounters(training) }),
  };
}

/** Hash of names, shapes and order of the flat gradient: workers with unlike models are refused by it. */
export function layoutHash({ layout, source }: Training): string {
  return hashText(source.backend, layout.parameters.map(({ name, shape }) => `${name}:${shape.join("x")}`).join("\n"));
}

/**
 * Clips by value, then by global norm, sets the learning rate of the step, updates, takes the weights into their average. Gradients are
 * undefined afterwards.
 *
 * @param stepIndex 0-based.
 * @throws {TrainingError} E_LEARNING_RATE when the schedule gives no finite number of at least 0.
 */
export function applyUpdate(training: Training, stepIndex: number): { gradNorm: number; learningRate: number } {
  return update(training, stepIndex, (parameters, config) => clip(parameters, config));
}

/** As `applyUpdate`, on every backend: the update is launched in this call, and the norm comes when it is there. */
export function applyUpdateLater(
  training: Training,
  stepIndex: number,
): { gradNorm: Promise<number>; learningRate: number } {
  return update(training, stepIndex, (parameters, config) => clipLater(parameters, config));
}

function update<Norm>(
  training: Training,
  stepIndex: number,
  clipBy: (parameters: readonly Tensor[], config: ClipConfig) => Norm,
): { gradNorm: Norm; learningRate: number } {
  const { source, model, optimizer, average } = training;
  const learningRate = learningRateOf(training, stepIndex);
  let gradNorm: Norm | undefined;
  withBackend(source.backend, () =>
    noGrad(() =>
      scope(() => {
        gradNorm = clipBy(model.parameters(), source.config);
        optimizer.learningRate = learningRate;
        optimizer.step();
        optimizer.zeroGrad();
        average?.update();
      }),
    ),
  );
  return { gradNorm: gradNorm as Norm, learningRate };
}

function learningRateOf({ schedule, plateau }: Training, stepIndex: number): number {
  const learningRate = schedule(stepIndex) * (plateau?.factor ?? 1);
  if (Number.isFinite(learningRate) && learningRate >= 0) return learningRate;
  throw new TrainingError(
    `schedule: the learning rate of step ${stepIndex + 1} is ${learningRate}; it must be finite and at least 0. Check the job's schedule.`,
    { step: stepIndex + 1, learningRate },
    "E_LEARNING_RATE",
  );
}

type ClipConfig = Pick<BaseConfig, "maxGradNorm" | "maxGradValue">;

/** Returns the norm before any clipping. */
function clip(parameters: readonly Tensor[], { maxGradNorm, maxGradValue }: ClipConfig): number {
  if (maxGradValue === 0) return clipGradNorm(parameters, maxGradNorm > 0 ? maxGradNorm : Infinity);
  const gradNorm = clipGradNorm(parameters, Infinity);
  optim.clipGradValue(parameters, maxGradValue);
  if (maxGradNorm > 0) clipGradNorm(parameters, maxGradNorm);
  return gradNorm;
}

async function clipLater(parameters: readonly Tensor[], { maxGradNorm, maxGradValue }: ClipConfig): Promise<number> {
  if (maxGradValue === 0) return optim.clipGradNormAsync(parameters, maxGradNorm > 0 ? maxGradNorm : Infinity);
  const gradNorm = optim.clipGradNormAsync(parameters, Infinity);
  optim.clipGradValue(parameters, maxGradValue);
  if (maxGradNorm > 0) await optim.clipGradNormAsync(parameters, maxGradNorm);
  return gradNorm;
}

/** What the memory plan is made of, as far as a training is built; activations are not known here. */
export function memoryNeedsOf(
  { model, optimizer, average, layout }: Partial<Pick<Training, "model" | "optimizer" | "average" | "layout">>,
  grid: { readonly numMicroBatches: number; readonly maxBytes: number },
): MemoryNeeds {
  const bytesOf = (tensors: Iterable<readonly [string, Tensor]> | undefined): number | undefined =>
    tensors && [...tensors].reduce((sum, [, tensor]) => sum + 4 * tensor.size, 0);
  const parameterBytes = bytesOf(model?.namedParameters());
  return {
    parameterBytes,
    bufferBytes: bytesOf(model?.namedBuffers()),
    optimizerBytes: optimizer && bytesOf(updateTensors({ optimizer, average })),
    vectorBytes: layout === undefined ? parameterBytes : 4 * layout.length,
    activationBytes: undefined,
    ...grid,
  };
}
