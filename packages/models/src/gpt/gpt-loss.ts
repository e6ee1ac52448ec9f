import { losses, type Tensor } from "@lockstep/core";
import { Gpt } from "./gpt.js";

/** More logits than this, 64 MiB, are never there at once. */
const maxLogits = 16_777_216;

/**
 * Summed cross-entropy of the next token; the weight is the number of tokens.
 *
 * Where a Gpt's logits would take more than 64 MiB they are computed in pieces (`losses.linearCrossEntropy`): the choice is the shape's alone, and
 * value and gradients have the same bits either way, for vocabularies up to 262,144.
 *
 * @shape inputs, targets [B, T] i32 -> scalar
 */
export function gptLoss(
  model: { forward(ids: Tensor): Tensor },
  batch: { readonly inputs: Tensor; readonly targets: Tensor },
): losses.LossSum {
  const { inputs, targets } = batch;
  // A class made of Gpt may have another head.
  if (model instanceof Gpt && model.constructor === Gpt && inputs.size * model.config.vocabSize > maxLogits) {
    return losses.linearCrossEntropy(model.hidden(inputs), model.tokenEmbedding.weight, targets);
  }
  return losses.crossEntropy(model.forward(inputs), targets);
}
