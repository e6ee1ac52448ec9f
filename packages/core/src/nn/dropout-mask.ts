import { withBackend } from "../backend/current-backend.js";
import { ValueError } from "../errors.js";
import { dropout } from "../ops/dropout.js";
import { ones } from "../tensor/create.js";
import type { Tensor } from "../tensor/tensor.js";

/** 0 with the probability, else 1 / (1 - probability), drawn as Dropout draws; on the backend of x. @shape -> shape */
export function dropoutMask(x: Tensor, shape: readonly number[], probability: number): Tensor {
  return dropout(
    withBackend(x.backend, () => ones(shape)),
    probability,
  );
}

/** The probability. @throws {ValueError} E_LAYER unless it is in [0, 1). @param name what the layer calls it. */
export function assertProbability(layer: string, probability: number, name = "probability"): number {
  if (probability >= 0 && probability < 1) return probability;
  throw new ValueError(
    `${layer}: ${name} is ${probability}; it must be in [0, 1).`,
    { [name]: probability },
    "E_LAYER",
  );
}
