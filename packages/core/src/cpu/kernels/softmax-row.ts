/** @file Softmax of one row in scratch memory: the inner part of softmax and of attention. */
import { defineFunction, type FunctionDefinition } from "../kernel.js";
import { rowMax, rowSum } from "../sum-order.js";
import { emitExp } from "../vector-math/exp.js";
import type { Local } from "../wasm/assembler.js";
import { add, and, define, forRange, push, storeVector, words } from "../wasm/integer.js";
import { forVectors } from "./row-loop.js";

/**
 * (row, count, scale): row[j] = e[j] * (1 / sum(e)), e[j] = exp(row[j] * scale - max(row * scale)), j < count.
 * What stands from count to the next multiple of 4 becomes 0. A row of -inf or with NaN becomes NaN.
 *
 * @numerics The maximum is subtracted; the sum is `rowSum`'s; every step rounds to f32.
 */
export const softmaxScratchRow: FunctionDefinition = defineFunction(
  "softmaxScratchRow",
  { params: ["i32", "i32", "f32"], results: [] },
  (f, params, context) => {
    const [row, count, scale] = params as [Local, Local, Local];
    const [scales, shift, vector] = f.locals("v128", 3) as [Local, Local, Local];
    f.get(scale).op("f32x4.splat").set(scales);
    forVectors(f, count, (offset) => {
      push(f, add(row, offset)).mem("v128.load");
      f.get(scales).op("f32x4.mul").set(vector);
      storeVector(f, vector, add(row, offset));
    });
    f.get(row).get(count).call(context.indexOf(rowMax));
    f.op("f32x4.splat").set(shift);
    forVectors(f, count, (offset) => {
      push(f, add(row, offset)).mem("v128.load");
      f.get(shift).op("f32x4.sub");
      emitExp(f);
      f.set(vector);
      storeVector(f, vector, add(row, offset));
    });
    f.f32(1).get(row).get(count).call(context.indexOf(rowSum));
    f.op("f32.div", "f32x4.splat").set(scales);
    forVectors(f, count, (offset) => {
      push(f, add(row, offset)).mem("v128.load");
      f.get(scales).op("f32x4.mul").set(vector);
      storeVector(f, vector, add(row, offset));
    });
    const end = define(f, and(add(count, 3), -4));
    forRange(
      f,
      { from: count, to: end },
      (j) =>
        void push(f, add(row, words(j)))
          .f32(0)
          .mem("f32.store"),
    );
  },
);
