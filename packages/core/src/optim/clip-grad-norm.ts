import { ValueError } from "../errors.js";
import { input, mul, scalar } from "../expr/expr.js";
import { elementwiseProgram } from "../expr/program.js";
import type { Tensor } from "../tensor/tensor.js";

const scaleProgram = elementwiseProgram("scaleBy", ["f32"], [mul(input(0), scalar(0))], 1);

/**
 * Scales all gradients in place so that their global norm is at most `maxGradNorm`, and returns the norm before.
 *
 *   norm = sqrt(sum of squares of all gradients); if norm > maxGradNorm: g *= maxGradNorm / (norm + 1e-6)
 *
 * @param parameters in registration order: `model.parameters()`. Those without a gradient are left out.
 * @param maxGradNorm Infinity only measures.
 * @numerics The norm is f64 over the flat gradient: the gradients in reverse registration order, laid end to end (L1). The factor is
 *   rounded to f32.
 * @throws {ValueError} E_VALUE when maxGradNorm is not above 0.
 * @source Same formula as torch.nn.utils.clip_grad_norm_, whose norm is f32 and in another order.
 */
export function clipGradNorm(parameters: Iterable<Tensor>, maxGradNorm: number): number {
  if (!(maxGradNorm > 0)) {
    throw new ValueError(`clipGradNorm: maxGradNorm is ${maxGradNorm}; it must be above 0. Infinity only measures.`, {
      maxGradNorm,
    });
  }
  const gradients = [...parameters].map(({ grad }) => grad).filter((grad) => grad !== undefined);
  gradients.reverse();
  const backend = gradients[0]?.backend;
  if (backend === undefined) return 0;
  const norm = Math.sqrt(backend.kernels.sumSquares(gradients));
  if (norm > maxGradNorm) {
    const factor = Math.fround(maxGradNorm / (norm + 1e-6));
    for (const gradient of gradients) backend.elementwise(scaleProgram, [gradient], [factor], [gradient]);
  }
  return norm;
}
