/** @file Weighted sums of a few places along one axis: one invocation an output element, places in ascending order. */
import type { KernelTable } from "@lockstep/core/backend";
import { defineKernel, groupsOf, type KernelHost } from "../launch/kernel.js";

const resample = defineKernel({
  name: "resample",
  operands: { x: "read f32", starts: "read i32", places: "read i32", weights: "read f32", out: "write f32" },
  params: { count: "u32", axisLength: "u32", outLength: "u32", inner: "u32" },
  body: `
  if (item >= p.count) { return; }
  let i = item % p.inner;
  let j = (item / p.inner) % p.outLength;
  let row = (item / (p.inner * p.outLength)) * p.axisLength;
  var sum = 0.0;
  let end = u32(starts_at(j + 1u));
  for (var t = u32(starts_at(j)); t < end; t++) {
    sum += weights_at(t) * x_at((row + u32(places_at(t))) * p.inner + i);
  }
  out_put(item, sum);`,
});

export function resampleRows(host: KernelHost): Pick<KernelTable, "resample"> {
  return {
    resample(x, table, out): void {
      const [outer = 0, axisLength = 0, inner = 0] = x.shape;
      const outLength = table.starts.length - 1;
      const count = outer * outLength * inner;
      if (count === 0) return;
      const starts = host.constantWords(table.starts);
      // A table without entries still needs something to bind.
      const places = host.constantWords(table.places.length > 0 ? table.places : [0]);
      const weights = host.constantFloats(table.weights.length > 0 ? table.weights : [0]);
      const params = { count, axisLength, outLength, inner };
      host.launch(resample, { x, starts, places, weights, out }, params, { groups: groupsOf(count) });
    },
  };
}
