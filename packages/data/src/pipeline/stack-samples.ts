import { ShapeError, type Tensor } from "@lockstep/core";
import { tensorOf } from "../dataset/tensor-of.js";

/**
 * Samples as one tensor with a batch dim in front, for `collate`.
 *
 * @param shape of one sample; [] for numbers
 * @shape B samples -> [B, ...shape]
 * @throws {ShapeError} E_SHAPE with the place when a sample's length is not that of the shape.
 * @source torch.utils.data.default_collate
 * @example
 * stackSamples([Float32Array.of(1, 2), Float32Array.of(3, 4)], [2]); // => [[1, 2], [3, 4]]
 */
export function stackSamples(samples: readonly (Float32Array | Int32Array)[], shape: readonly number[]): Tensor {
  const length = shape.reduce((product, n) => product * n, 1);
  const isFloat = samples[0] instanceof Float32Array;
  const out = isFloat ? new Float32Array(samples.length * length) : new Int32Array(samples.length * length);
  for (const [i, sample] of samples.entries()) {
    if (sample.length !== length || sample instanceof Float32Array !== isFloat) {
      throw new ShapeError(
        `stackSamples: sample ${i} has ${sample.length} numbers (${sample.constructor.name}); it must have ${length}, shape [${shape.join(", ")}], in the type of sample 0.`,
        { place: i, length: sample.length, shape },
      );
    }
    out.set(sample, i * length);
  }
  return tensorOf(out, [samples.length, ...shape]);
}
