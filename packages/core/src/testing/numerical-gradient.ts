/** @file Central differences on an op's f64 reference: the gradient as its definition says, slow and sure. */
import type { Op, ReferenceArray } from "../ops/contract.js";

export interface NumericalGradientOptions {
  readonly references: readonly (ReferenceArray | number)[];
  readonly attrs: unknown;
  /** One for each visible output: the gradient is of sum(output * cotangent). */
  readonly cotangents: readonly ArrayLike<number>[];
  /** Which inputs to differentiate by. */
  readonly wanted: readonly boolean[];
}

const relativeStep = 1e-5;

/**
 * For each wanted input the derivative by every element; undefined for the others. The step is 1e-5 * max(1, |x|).
 * @shape inputs [...] -> [N] each
 * @source none: ours
 */
export function numericalGradient(
  op: Op,
  { references, attrs, cotangents, wanted }: NumericalGradientOptions,
): (Float64Array | undefined)[] {
  const project = (): number => {
    const outputs = op.reference(references, attrs);
    let total = 0;
    cotangents.forEach((cotangent, j) => {
      const { values } = outputs[j]!;
      for (let i = 0; i < values.length; i++) total += values[i]! * cotangent[i]!;
    });
    return total;
  };
  return references.map((array, position) => {
    if (typeof array === "number" || !wanted[position]) return undefined;
    const { values } = array;
    return values.map((x, i) => {
      const step = relativeStep * Math.max(1, Math.abs(x));
      values[i] = x + step;
      const above = project();
      values[i] = x - step;
      const below = project();
      values[i] = x;
      return (above - below) / (2 * step);
    });
  });
}
