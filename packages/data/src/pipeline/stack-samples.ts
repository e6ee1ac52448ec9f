import { type DTypeArray, ShapeError, type Tensor, ValueError } from "@lockstep/core";
import { arrayLike, tensorOf } from "../dataset/tensor-of.js";

/**
 * Samples as one tensor with a batch dim in front, for `collate`.
 *
 * @param shape of one sample; [] for numbers
 * @shape B samples -> [B, ...shape]
 * @throws {ShapeError} E_SHAPE with the place when a sample's length is not that of the shape. {ValueError} E_SAMPLE without samples.
 * @source torch.utils.data.default_collate
 * @example
 * stackSamples([Float32Array.of(1, 2), Float32Array.of(3, 4)], [2]); // => [[1, 2], [3, 4]]
 */
export function stackSamples(samples: readonly DTypeArray[], shape: readonly number[]): Tensor {
  const length = shape.reduce((product, n) => product * n, 1);
  const first = samples[0];
  if (first === undefined) {
    throw new ValueError("stackSamples: samples is empty; there must be at least one.", {}, "E_SAMPLE");
  }
  const out = arrayLike(first, samples.length * length);
  for (const [i, sample] of samples.entries()) {
    if (sample.length !== length || sample.constructor !== out.constructor) {
      throw new ShapeError(
        `stackSamples: sample ${i} has ${sample.length} numbers (${sample.constructor.name}); it must have ${length}, shape [${shape.join(", ")}], in the type of sample 0.`,
        { place: i, length: sample.length, shape },
      );
    }
    out.set(sample, i * length);
  }
  return tensorOf(out, [samples.length, ...shape]);
}
