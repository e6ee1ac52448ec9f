import { losses, type Tensor } from "@lockstep/core";

/**
 * Summed cross-entropy of the next token; the weight is the number of tokens.
 *
 * @shape inputs, targets [B, T] i32 -> scalar
 */
export function gptLoss(
  model: { forward(ids: Tensor): Tensor },
  batch: { readonly inputs: Tensor; readonly targets: Tensor },
): losses.LossSum {
  return losses.crossEntropy(model.forward(batch.inputs), batch.targets);
}
