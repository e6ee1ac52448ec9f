/** @file Reductions of integers (i32, u8 and bool words) along an axis, modulo 2^32. */
import type { TensorView } from "@lockstep/core";
import type { AxisView, IntegerReduceKind, KernelTable } from "@lockstep/core/backend";
import type { KernelHost } from "../launch/kernel.js";
import { argFoldAxis } from "./arg-reduce.js";
import { foldAxis } from "./reduce.js";

export function reduceIntegersRows(host: KernelHost) {
  return {
    reduceIntegers(kind: IntegerReduceKind, x: TensorView, axisView: AxisView, out: TensorView): void {
      if (kind === "argMax" || kind === "argMin") argFoldAxis(host, { type: "i32", kind, axisView }, x, out);
      else foldAxis(host, { type: "i32", kind, axisView }, { x, out });
    },
  } satisfies Partial<KernelTable>;
}
