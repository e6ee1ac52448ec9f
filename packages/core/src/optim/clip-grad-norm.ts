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
  const gradients = gradientsOf("clipGradNorm", parameters, maxGradNorm);
  const backend = gradients[0]?.backend;
  if (backend === undefined) return 0;
  const norm = Math.sqrt(backend.kernels.sumSquares(gradients));
  if (norm > maxGradNorm) {
    const factor = Math.fround(maxGradNorm / (norm + 1e-6));
    for (const gradient of gradients) backend.elementwise(scaleProgram, [gradient], [factor], [gradient]);
  }
  return norm;
}

/**
 * As `clipGradNorm`, for every backend: the gradients are scaled by what is launched in this call, without waiting, and the norm comes when it
 * is there. On a CPU it is `clipGradNorm` itself, to the same bits.
 *
 * @param parameters in registration order: `model.parameters()`. Those without a gradient are left out.
 * @param maxGradNorm Infinity only measures.
 * @numerics On a GPU the norm is f32: squares in blocks of 4,096 of each gradient, in three ranges of size, so that none overflows or is lost.
 * @throws {ValueError} E_VALUE when maxGradNorm is not above 0.
 * @source Same formula as torch.nn.utils.clip_grad_norm_. The ranges: Blue 1978, "A portable Fortran program to find the Euclidean norm".
 * @example
 * const model = new nn.Linear(2, 1);
 * model.forward(tensor([[3, 4]])).sum().backward();
 * const norm = optim.clipGradNormAsync(model.parameters(), 1);
 * new optim.Sgd(model.parameters(), { learningRate: 0.1 }).step(); // the clipped gradients
 * (await norm).toFixed(3); // => "5.099"
 */
export async function clipGradNormAsync(parameters: Iterable<Tensor>, maxGradNorm: number): Promise<number> {
  const all = [...parameters];
  const gradients = gradientsOf("clipGradNormAsync", all, maxGradNorm);
  const late = gradients[0]?.backend.late;
  if (late === undefined) return clipGradNorm(all, maxGradNorm);
  const norm = late.clipNorm(gradients, maxGradNorm);
  if (maxGradNorm < Number.POSITIVE_INFINITY) for (const { storage } of gradients) storage.version++;
  return norm;
}

/** Gradients in the order of the norm. */
function gradientsOf(where: string, parameters: Iterable<Tensor>, maxGradNorm: number): Tensor[] {
  if (!(maxGradNorm > 0)) {
    throw new ValueError(`${where}: maxGradNorm is ${maxGradNorm}; it must be above 0. Infinity only measures.`, {
      maxGradNorm,
    });
  }
  const gradients = [...parameters].map(({ grad }) => grad).filter((grad) => grad !== undefined);
  return gradients.reverse();
}
