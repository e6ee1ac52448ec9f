/** @file The place of the first element that is not finite. */
import type { TensorView } from "@lockstep/core";
import { numElements } from "@lockstep/core/backend";
import { defineKernel, groupsOf, type KernelHost } from "../launch/kernel.js";
import { bits } from "../math/bits.js";

const last = 0x7fffffff;

/** place = the largest of 2^31 - 1 - i: integers have one maximum, in whatever order they come. */
const kernel = defineKernel({
  name: "findNonFinite",
  operands: { x: "read f32", place: "write atomic" },
  params: { count: "u32" },
  uses: [bits],
  body: `
  if (item < p.count && !isFiniteValue(x_at(item))) { place_max(0u, ${last} - i32(item)); }`,
});

/** @param use is given one word for `placeOf`. */
export function findNonFinite<T>(
  host: KernelHost,
  x: TensorView,
  fill: (view: TensorView, value: number) => void,
  use: (place: TensorView) => T,
): T {
  const count = numElements(x.shape);
  return host.withTemporary([1], "i32", (place) => {
    fill(place, 0);
    host.launch(kernel, { x, place }, { count }, { groups: groupsOf(count) });
    return use(place);
  });
}

/** The index, or -1. */
export function placeOf(word: number): number {
  return word === 0 ? -1 : last - word;
}
