/** @file The number of each sample that an attribution explains, and its gradient by the inputs. */
import { backward } from "../autograd/backward.js";
import { enableGrad, noGrad } from "../autograd/grad-mode.js";
import { ShapeError, StateError, ValueError } from "../errors.js";
import { sum } from "../ops/expand-sum.js";
import { gather } from "../ops/gather.js";
import { argMax } from "../ops/reduce.js";
import { reshape } from "../ops/reshape.js";
import { tensor } from "../tensor/create.js";
import { scope } from "../tensor/scope.js";
import { formatShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";

/** A model as a function of what is explained: inputs [B, ...] to scores [B, C] or values [B]. Row b must depend on input b alone. */
export type ExplainedFunction = (inputs: Tensor) => Tensor;

export interface AttributionOptions {
  /** For scores [B, C]: the class of each sample whose score is explained. Default: the one with the largest score. */
  readonly targets?: readonly number[];
}

/** The classes to explain, [B, 1] i32; undefined for outputs [B]. */
export function chosenClasses(
  where: string,
  outputs: ExplainedFunction,
  inputs: Tensor,
  { targets }: AttributionOptions,
): Tensor | undefined {
  const batch = inputs.shape[0];
  if (inputs.dtype !== "f32" || inputs.numDims < 2) {
    throw new ShapeError(
      `${where}: inputs are ${inputs.dtype} ${formatShape(inputs.shape)}; they must be f32 [B, ...]. Explain the embeddings of tokens, not their numbers.`,
      { inputs: inputs.shape, dtype: inputs.dtype },
    );
  }
  const scores = noGrad(() => outputs(inputs));
  if (scores.numDims > 2 || scores.numDims < 1 || scores.shape[0] !== batch) {
    throw new ShapeError(
      `${where}: outputs(inputs) gave ${formatShape(scores.shape)} for inputs ${formatShape(inputs.shape)}; it must give [B, C] or [B] with B = ${batch}.`,
      { outputs: scores.shape, inputs: inputs.shape },
    );
  }
  if (scores.numDims === 1) return undefined;
  if (targets === undefined) return reshape(argMax(scores, 1), [batch!, 1]);
  const numClasses = scores.shape[1]!;
  const bad = targets.find((target) => !Number.isInteger(target) || target < 0 || target >= numClasses);
  if (targets.length !== batch || bad !== undefined) {
    throw new ValueError(
      `${where}: targets are [${targets.join(", ")}]; they must be ${batch} classes of 0..${numClasses - 1}, one a sample.`,
      { targets, batch, numClasses },
      "E_EXPLAIN",
    );
  }
  return tensor(
    targets.map((target) => [target]),
    { dtype: "i32" },
  );
}

/** Calls `use` with the explained outputs [B] at `inputs` and their gradient; both are freed afterwards, what it returns is not. */
export function withGradient<T>(
  where: string,
  outputs: ExplainedFunction,
  at: { readonly inputs: Tensor; readonly classes: Tensor | undefined },
  use: (gradient: Tensor, values: Tensor) => T,
): T {
  return scope(() => {
    const leaf = at.inputs.detach();
    leaf.requiresGrad = true;
    const values = enableGrad(() => {
      const scores = outputs(leaf); // [B, C] or [B]
      const chosen = at.classes === undefined ? scores : reshape(gather(scores, 1, at.classes), [-1]);
      if (chosen.requiresGrad) backward(sum(chosen));
      return chosen.detach();
    });
    if (leaf.grad === undefined) {
      throw new StateError(
        `${where}: outputs(inputs) does not depend on its argument; it must be computed from it, with ops that have gradients. Use the argument, not the batch.`,
        {},
        "E_NO_GRAD",
      );
    }
    return noGrad(() => use(leaf.grad!, values));
  });
}
