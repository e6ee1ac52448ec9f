/** @file dropout, whose mask is drawn again in the backward pass instead of being kept. */

import { nextPhiloxKey } from "../autograd/micro-batch-scope.js";
import type { PhiloxKey } from "../backend/kernel-table.js";
import { DTypeError, ValueError } from "../errors.js";
import { constant, input, lt, mul, scalar, select } from "../expr/expr.js";
import { elementwiseProgram } from "../expr/program.js";
import { philox4x32 } from "../rng/philox.js";
import { Tensor } from "../tensor/tensor.js";
import { defineStructural, type StructuralOp } from "./apply.js";
import { normal } from "./samples.js";

export interface DropoutAttrs {
  readonly p: number;
  readonly key: PhiloxKey;
}

const TWO_TO_MINUS_24 = 5.9604644775390625e-8;
/** u < p ? 0 : x * 1/(1-p) */
const applyMask = elementwiseProgram(
  "dropout",
  ["f32", "f32"],
  [select(lt(input(1), scalar(0)), constant(0), mul(input(0), scalar(1)))],
  2,
);

export const dropoutOp: StructuralOp<DropoutAttrs> = defineStructural<DropoutAttrs>({
  name: "dropout",
  shapeRule: ([x]) => {
    if (x!.dtype !== "f32") throw new DTypeError(`dropout: x is ${x!.dtype}; it must be f32.`, { dtype: x!.dtype });
    return [x!];
  },
  reference: ([x], { p, key }) => {
    const uniform = uniformReference(key, x!.values.length);
    return [
      { shape: x!.shape, values: x!.values.map((value, i) => (uniform[i]! < Math.fround(p) ? 0 : value / (1 - p))) },
    ];
  },
  run: (backend, [x], [out], { p, key }) => {
    const uniform = Tensor.allocate(backend, x!.shape, "f32", "exact");
    backend.kernels.philoxUniform(key, uniform);
    backend.elementwise(applyMask, [x!, uniform], [p, 1 / (1 - p)], [out!]);
    uniform.dispose();
  },
  vjp: { pull: ({ attrs }, dOut) => dropoutOp.apply([dOut], attrs) },
  samples: [
    {
      name: "a fifth",
      inputs: [normal([5, 7])],
      attrs: { p: 0.2, key: { seedLo: 1, seedHi: 2, step: 3, m: 4, use: 5 } },
    },
    {
      name: "half of many",
      inputs: [normal([4099])],
      attrs: { p: 0.5, key: { seedLo: 9, seedHi: 0, step: 0, m: 1, use: 0 } },
      checkVjp: false,
    },
  ],
});

function uniformReference({ seedLo, seedHi, use, m, step }: PhiloxKey, count: number): Float64Array {
  const values = new Float64Array(count);
  const block = new Uint32Array(4);
  for (let i = 0; i < count; i++) {
    if (i % 4 === 0) philox4x32([seedLo, seedHi], [i / 4, use, m, step], block);
    values[i] = (block[i % 4]! >>> 8) * TWO_TO_MINUS_24;
  }
  return values;
}

/**
 * Zeroes each element with probability p and scales the others by 1 / (1 - p).
 *
 * @numerics The mask is a function of (seed, step, m) of the enclosing microBatchScope, of how many draws came before, and of the
 *   element's index. Outside such a scope draws are counted from the start of the process.
 * @shape any -> same
 * @throws {ValueError} E_VALUE unless 0 <= p < 1.
 * @source torch.nn.functional.dropout
 */
export function dropout(x: Tensor, p: number): Tensor {
  if (!(p >= 0 && p < 1)) throw new ValueError(`dropout: p is ${p}; it must be in [0, 1).`, { p });
  return p === 0 ? x : dropoutOp.apply([x], { p, key: nextPhiloxKey() })[0]!;
}
