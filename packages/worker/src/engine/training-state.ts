/** @file What a step changes: its tensors in a fixed order, their hash, the update, the bytes they take. */
import { clipGradNorm, hashText, noGrad, scope, stateHash, type Tensor, withBackend } from "@lockstep/core";
import { TrainingError } from "../errors.js";
import type { Training } from "./build-training.js";
import type { MemoryNeeds } from "./memory-plan.js";

/** Parameters, then buffers, in registration order, tied ones once: the order of the state dict. */
export function modelTensors({ model }: Pick<Training, "model">): [string, Tensor][] {
  return [...model.namedParameters(), ...model.namedBuffers()];
}

/** Hash of the step, of parameters, buffers and the optimizer's tensors and counters (L2). @param step applied steps. */
export function trainingStateHash({ source, model, optimizer }: Training, step: number): string {
  return stateHash(source.backend, {
    parameters: [...model.namedParameters()].map(([, tensor]) => tensor),
    buffers: [...model.namedBuffers()].map(([, tensor]) => tensor),
    optimizer: [...optimizer.namedState()].map(([, tensor]) => tensor),
    counters: JSON.stringify({ step, optimizer: optimizer.counters() }),
  });
}

/** Hash of names, shapes and order of the flat gradient: workers with unlike models are refused by it. */
export function layoutHash({ layout, source }: Training): string {
  return hashText(source.backend, layout.parameters.map(({ name, shape }) => `${name}:${shape.join("x")}`).join("\n"));
}

/**
 * Clips by global norm, sets the learning rate of the step, updates. Gradients are undefined afterwards.
 *
 * @param stepIndex 0-based.
 * @throws {TrainingError} E_LEARNING_RATE when the schedule gives no finite number of at least 0.
 */
export function applyUpdate(training: Training, stepIndex: number): { gradNorm: number; learningRate: number } {
  const { source, model, optimizer, schedule } = training;
  const learningRate = schedule(stepIndex);
  if (!(Number.isFinite(learningRate) && learningRate >= 0)) {
    throw new TrainingError(
      `schedule: the learning rate of step ${stepIndex + 1} is ${learningRate}; it must be finite and at least 0. Check the job's schedule.`,
      { step: stepIndex + 1, learningRate },
      "E_LEARNING_RATE",
    );
  }
  return withBackend(source.backend, () =>
    noGrad(() =>
      scope(() => {
        const maxGradNorm = source.config.maxGradNorm > 0 ? source.config.maxGradNorm : Infinity;
        const gradNorm = clipGradNorm(model.parameters(), maxGradNorm);
        optimizer.learningRate = learningRate;
        optimizer.step();
        optimizer.zeroGrad();
        return { gradNorm, learningRate };
      }),
    ),
  );
}

/** What the memory plan is made of, as far as a training is built; activations are not known here. */
export function memoryNeedsOf(
  { model, optimizer, layout }: Partial<Pick<Training, "model" | "optimizer" | "layout">>,
  grid: { readonly numMicroBatches: number; readonly maxBytes: number },
): MemoryNeeds {
  const bytesOf = (tensors: Iterable<readonly [string, Tensor]> | undefined): number | undefined =>
    tensors && [...tensors].reduce((sum, [, tensor]) => sum + 4 * tensor.size, 0);
  const parameterBytes = bytesOf(model?.namedParameters());
  return {
    parameterBytes,
    bufferBytes: bytesOf(model?.namedBuffers()),
    optimizerBytes: bytesOf(optimizer?.namedState()),
    vectorBytes: layout === undefined ? parameterBytes : 4 * layout.length,
    activationBytes: undefined,
    ...grid,
  };
}
