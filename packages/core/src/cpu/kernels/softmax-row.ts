/** @file Softmax of one row in scratch memory, for attention, and the row maximum that softmax kernels subtract. */
import { type BuildContext, defineFunction, type FunctionDefinition } from "../kernel.js";
import { emitTailMask, rowSum } from "../sum-order.js";
import { emitExp } from "../vector-math/exp.js";
import type { FunctionBuilder, Local } from "../wasm/assembler.js";
import { add, and, define, forRange, increase, lt, push, storeVector, whileTrue, words } from "../wasm/integer.js";
import { forVectors } from "./row-loop.js";

const numVectors = 4;

/**
 * (address, count) -> the largest value, -inf if there is none. NaNs are passed over: where they matter, exp brings them back.
 * f32x4.pmax is one instruction, f32x4.max (rowMax) is eight.
 */
export const rowPeak: FunctionDefinition = defineFunction(
  "rowPeak",
  { params: ["i32", "i32"], results: ["f32"] },
  (f, params) => {
    const [address, count] = params as [Local, Local];
    const peaks = f.locals("v128", numVectors);
    for (const peak of peaks) f.f32x4(Number.NEGATIVE_INFINITY).set(peak);
    const first = peaks[0]!;
    // pmax(a, b) is a < b ? b : a.
    const take = (peak: Local, pushValue: () => void): void => {
      f.get(peak);
      pushValue();
      f.op("f32x4.pmax").set(peak);
    };
    whileTrue(f, lt(4 * numVectors - 1, count), () => {
      peaks.forEach((peak, v) => void take(peak, () => void f.get(address).mem("v128.load", 16 * v)));
      increase(f, address, 16 * numVectors);
      increase(f, count, -4 * numVectors);
    });
    whileTrue(f, lt(0, count), () => {
      take(first, () => {
        f.get(address).mem("v128.load").f32x4(Number.NEGATIVE_INFINITY);
        emitTailMask(f, 0, count);
        f.op("v128.bitselect");
      });
      increase(f, address, 16);
      increase(f, count, -4);
    });
    for (const peak of peaks.slice(1)) take(first, () => void f.get(peak));
    take(first, () => void f.get(first).get(first).shuffle32([2, 3, 2, 3]));
    take(first, () => void f.get(first).get(first).shuffle32([1, 1, 1, 1]));
    f.get(first).extractF32(0);
  },
);

/**
 * row[j] = e[j] * (1 / sum(e)), e[j] = exp(row[j] * scale - max(row) * scale), j < count; scale (splat) is not negative.
 * What stands from count to the next multiple of 4 becomes 0. A row of -inf or with NaN becomes NaN.
 *
 * @numerics The sum is `rowSum`'s; every step rounds to f32.
 */
export function emitSoftmaxRow(
  f: FunctionBuilder,
  context: BuildContext,
  { row, count, scale }: { row: Local; count: Local; scale: Local },
): void {
  const [shift, factor, vector] = f.locals("v128", 3) as [Local, Local, Local];
  f.get(row).get(count).call(context.indexOf(rowPeak)).op("f32x4.splat").get(scale).op("f32x4.mul").set(shift);
  forVectors(f, count, (offset) => {
    push(f, add(row, offset)).mem("v128.load");
    f.get(scale).op("f32x4.mul").get(shift).op("f32x4.sub");
    emitExp(f);
    f.set(vector);
    storeVector(f, vector, add(row, offset));
  });
  f.f32(1).get(row).get(count).call(context.indexOf(rowSum));
  f.op("f32.div", "f32x4.splat").set(factor);
  forVectors(f, count, (offset) => {
    push(f, add(row, offset)).mem("v128.load");
    f.get(factor).op("f32x4.mul").set(vector);
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
}
