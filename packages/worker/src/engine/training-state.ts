/** @file What a step changes: its tensors in a fixed order, their hash, the update, the bytes they take. */
import { clipGradNorm, noGrad, scope, stateHash, type Tensor, withBackend } from "@lockstep/core";
import { TrainingError } from "../errors.js";
import type { Training } from "./build-training.js";
import type { MemoryNeeds } from "./memory-plan.js";

/** Parameters, then buffers, in registration order, tied ones once: the order of the state dict. */
export function modelTensors({ model }: Pick<Training, "model">): [string, Tensor][] {
  return [...model.namedParameters(), ...model.namedBuffers()];
}

/** Hash of parameters, buffers and optimizer state (L2). */
export function trainingStateHash(training: Training): string {
  return stateHash(training.source.backend, {
    parameters: [...training.model.namedParameters()].map(([, tensor]) => tensor),
    buffers: [...training.model.namedBuffers()].map(([, tensor]) => tensor),
    optimizer: [...training.optimizer.namedState()].map(([, tensor]) => tensor),
  });
}

/** Hash of names, shapes and order of the flat gradient: workers with unlike models are refused by it. */
export function layoutHash({ layout, source }: Training): string {
  const text = layout.parameters.map(({ name, shape }) => `${name}:${shape.join("x")}`).join("\n");
  const codes = Int32Array.from(text, (character) => character.codePointAt(0) ?? 0);
  const buffer = source.backend.allocate(codes.byteLength);
  try {
    source.backend.write(buffer, 0, codes);
    return source.backend.kernels.hash([{ buffer, offset: 0, shape: [codes.length], strides: [1], dtype: "i32" }]);
  } finally {
    source.backend.free(buffer);
  }
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

/** What the memory plan is made of; activations are not known here. */
export function memoryNeedsOf(training: Training, maxBytes: number): MemoryNeeds {
  const bytesOf = (tensors: Iterable<readonly [string, Tensor]>): number =>
    [...tensors].reduce((sum, [, tensor]) => sum + 4 * tensor.size, 0);
  return {
    parameterBytes: bytesOf(training.model.namedParameters()),
    bufferBytes: bytesOf(training.model.namedBuffers()),
    optimizerBytes: bytesOf(training.optimizer.namedState()),
    vectorBytes: 4 * training.layout.length,
    numMicroBatches: training.numMicroBatches,
    activationBytes: undefined,
    maxBytes,
  };
}
