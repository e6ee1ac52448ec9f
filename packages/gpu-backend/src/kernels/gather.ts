/**
 * @file gather and scatterAdd along one axis, any dtype.
 *
 * x (or the result of scatterAdd) is seen as [outer, K, inner], index and the other tensor as [outer, J, inner]; all contiguous. However
 * scatterAdd finds what belongs to an element, it adds it to +0 over ascending j, so its ways give the same bits.
 */
import type { TensorView } from "@lockstep/core";
import type { GatherAxisView, KernelTable } from "@lockstep/core/backend";
import { defineKernel, groupsOf, type KernelHost } from "../launch/kernel.js";
import { sortAxis } from "./sort.js";

/** Up to this many sources every element looks at all of them. */
const maxWalked = 64;
/** From this many columns on there is work enough for one invocation each. */
const minColumns = 8_192;

const params = { count: "u32", axisLength: "u32", inner: "u32", indexLength: "u32" } as const;

const gather = defineKernel({
  name: "gather",
  operands: { x: "read i32", index: "read i32", out: "write i32" },
  params,
  body: `
  if (item >= p.count) { return; }
  let o = item / (p.indexLength * p.inner);
  out_put(item, x_at((o * p.axisLength + u32(index_at(item))) * p.inner + item % p.inner));`,
});

/** An invocation an element (o, k, i). */
const place = `
  if (item >= p.count) { return; }
  let i = item % p.inner;
  let k = i32((item / p.inner) % p.axisLength);
  let base = (item / (p.inner * p.axisLength)) * p.indexLength * p.inner + i;`;

function scatterKernels(type: "f32" | "i32") {
  const zero = type === "f32" ? "0.0" : "0";
  return {
    /** Each element looks at every index. */
    walk: defineKernel({
      name: `scatterAddWalk_${type}`,
      operands: { index: "read i32", src: `read ${type}`, out: `write ${type}` },
      params,
      body: `${place}
  var total = ${zero};
  for (var j = 0u; j < p.indexLength; j++) {
    let at = base + j * p.inner;
    if (index_at(at) == k) { total += src_at(at); }
  }
  out_put(item, total);`,
    }),
    /** A column becomes zeros, then takes what there is in order. */
    columns: defineKernel({
      name: `scatterAddColumns_${type}`,
      operands: { index: "read i32", src: `read ${type}`, out: `write ${type}` },
      params,
      body: `
  if (item >= p.count) { return; }
  let i = item % p.inner;
  let o = item / p.inner;
  let goal = o * p.axisLength * p.inner + i;
  for (var k = 0u; k < p.axisLength; k++) { out_put(goal + k * p.inner, ${zero}); }
  for (var j = 0u; j < p.indexLength; j++) {
    let at = (o * p.indexLength + j) * p.inner + i;
    let k = u32(index_at(at));
    if (k < p.axisLength) { out_put(goal + k * p.inner, out_at(goal + k * p.inner) + src_at(at)); }
  }`,
    }),
    /** Each element finds its own among the sorted indices. */
    sorted: defineKernel({
      name: `scatterAddSorted_${type}`,
      operands: { sorted: "read i32", places: "read i32", src: `read ${type}`, out: `write ${type}` },
      params,
      body: `${place}
  var low = 0u;
  var high = p.indexLength;
  while (low < high) {
    let half = (low + high) / 2u;
    if (sorted_at(base + half * p.inner) < k) { low = half + 1u; } else { high = half; }
  }
  var total = ${zero};
  for (var j = low; j < p.indexLength; j++) {
    let at = base + j * p.inner;
    if (sorted_at(at) != k) { break; }
    total += src_at(base + u32(places_at(at)) * p.inner);
  }
  out_put(item, total);`,
    }),
  };
}
const kernels = { f32: scatterKernels("f32"), i32: scatterKernels("i32") } as const;

function scatterAdd(
  host: KernelHost,
  index: TensorView,
  io: { readonly src: TensorView; readonly view: GatherAxisView; readonly out: TensorView },
): void {
  const { outer, axisLength, inner, indexLength } = io.view;
  const { src, out } = io;
  const numColumns = outer * inner;
  const count = numColumns * axisLength;
  if (count === 0) return;
  const { walk, columns, sorted } = kernels[out.dtype === "f32" ? "f32" : "i32"];
  const values = { count, axisLength, inner, indexLength };
  const options = { groups: groupsOf(count) };
  if (indexLength <= maxWalked) host.launch(walk, { index, src, out }, values, options);
  else if (numColumns >= minColumns) {
    const own = { ...values, count: numColumns };
    host.launch(columns, { index, src, out }, own, { groups: groupsOf(numColumns) });
  } else {
    const view = { outer, axisLength: indexLength, inner, indexLength };
    host.withTemporary([numColumns * indexLength], "i32", (ids) => {
      host.withTemporary([numColumns * indexLength], "i32", (places) => {
        sortAxis(host, index, { view, isDescending: false, outputs: { values: ids, indices: places } });
        host.launch(sorted, { sorted: ids, places, src, out }, values, options);
      });
    });
  }
}

export function gatherRows(host: KernelHost) {
  return {
    gather(x: TensorView, index: TensorView, view: GatherAxisView, out: TensorView): void {
      const { outer, axisLength, inner, indexLength } = view;
      const count = outer * indexLength * inner;
      const values = { count, axisLength, inner, indexLength };
      host.launch(gather, { x, index, out }, values, { groups: groupsOf(count) });
    },
    scatterAdd(index: TensorView, src: TensorView, view: GatherAxisView, out: TensorView): void {
      scatterAdd(host, index, { src, view, out });
    },
  } satisfies Partial<KernelTable>;
}
