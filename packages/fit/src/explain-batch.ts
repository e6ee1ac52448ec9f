/** @file What `lockstep report` can show of a fitted model: predictions, and what they rest on, where inputs are columns or images. */
import { losses, Tensor } from "@lockstep/core";
import type { ExplainedBatch } from "@lockstep/worker";
import { type FitDefinition, lossFunctionOf, type ModelInputs } from "./definition.js";

interface GivenBatch {
  readonly inputs: ModelInputs;
  readonly targets: Tensor;
}

/**
 * Undefined where there are several inputs, or none that a picture can be made of, or outputs that are neither scores of classes nor one
 * value a sample. Logits of binaryCrossEntropy are shown as probabilities.
 *
 * @shape inputs [B, K] or [B, C, H, W]; targets [B] (labels), [B] or [B, 1] (values)
 */
export function explainBatch(
  loss: FitDefinition["loss"],
  forward: (inputs: Tensor) => Tensor,
  { inputs, targets }: GivenBatch,
): ExplainedBatch | undefined {
  if (!(inputs instanceof Tensor) || inputs.dtype !== "f32") return undefined;
  const kind = inputs.numDims === 2 ? "columns" : inputs.numDims === 4 ? "image" : undefined;
  if (kind === undefined) return undefined;
  const numSamples = inputs.shape[0]!;
  const { shape, size } = forward(inputs);
  if (targets.dtype === "i32") {
    const isScores = shape.length === 2 && targets.numDims === 1;
    return isScores ? { kind, inputs, outputs: forward, targets } : undefined;
  }
  if (size !== numSamples || targets.size !== numSamples) return undefined;
  const isLogit = lossFunctionOf({ loss }) === losses.binaryCrossEntropyWithLogits;
  return {
    kind,
    inputs,
    outputs: (x) => {
      const values = forward(x).reshape([-1]);
      return isLogit ? values.sigmoid() : values;
    },
    targets: targets.reshape([-1]),
  };
}
