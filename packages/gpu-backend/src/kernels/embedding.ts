/**
 * @file embedding: rows of a table by id, and the gradient of the table.
 *
 * The gradient adds to each row, from +0, the rows of dOut with its id over ascending n: ids are sorted (stably) first, so that a
 * row's own lie together.
 *
 * Legend: N number of ids, V vocab, C embed.
 */
import type { TensorView } from "@lockstep/core";
import type { KernelTable } from "@lockstep/core/backend";
import { defineKernel, groupsOf, type KernelHost } from "../launch/kernel.js";
import { sortAxis } from "./sort.js";

const embedding = defineKernel({
  name: "embedding",
  operands: { table: "read i32", ids: "read i32", out: "write i32" },
  params: { count: "u32", length: "u32" },
  body: `
  if (item >= p.count) { return; }
  out_put(item, table_at(u32(ids_at(item / p.length)) * p.length + item % p.length));`,
});

/** starts[v] = how many of the sorted ids are below v, for v in 0..V. */
const segments = defineKernel({
  name: "embeddingSegments",
  operands: { sorted: "read i32", starts: "write i32" },
  params: { count: "u32", numIds: "u32" },
  body: `
  if (item >= p.count) { return; }
  var low = 0u;
  var high = p.numIds;
  while (low < high) {
    let half = (low + high) / 2u;
    if (sorted_at(half) < i32(item)) { low = half + 1u; } else { high = half; }
  }
  starts_put(item, i32(low));`,
});

const embeddingBackward = defineKernel({
  name: "embeddingBackward",
  operands: { dOut: "read f32", places: "read i32", starts: "read i32", dTable: "write f32" },
  params: { count: "u32", length: "u32" },
  body: `
  if (item >= p.count) { return; }
  let v = item / p.length;
  let c = item % p.length;
  let end = u32(starts_at(v + 1u));
  var total = 0.0;
  for (var n = u32(starts_at(v)); n < end; n++) { total += dOut_at(u32(places_at(n)) * p.length + c); }
  dTable_put(item, total);`,
});

export function embeddingRows(host: KernelHost) {
  return {
    embedding(table: TensorView, ids: TensorView, out: TensorView): void {
      const [numIds = 0, length = 0] = out.shape;
      const count = numIds * length;
      host.launch(embedding, { table, ids, out }, { count, length }, { groups: groupsOf(count) });
    },
    embeddingBackward(dOut: TensorView, ids: TensorView, dTable: TensorView): void {
      const [numRows = 0, length = 0] = dTable.shape;
      const numIds = ids.shape[0] ?? 0;
      const count = numRows * length;
      if (count === 0) return;
      const view = { outer: 1, axisLength: numIds, inner: 1, indexLength: numIds };
      host.withTemporary([2 * numIds], "i32", (values) => {
        const places = { ...values, offset: values.offset + numIds };
        sortAxis(host, ids, { view, isDescending: false, outputs: { values, indices: places } });
        host.withTemporary([numRows + 1], "i32", (starts) => {
          const numStarts = numRows + 1;
          const options = { groups: groupsOf(numStarts) };
          host.launch(segments, { sorted: values, starts }, { count: numStarts, numIds }, options);
          const operands = { dOut, places, starts, dTable };
          host.launch(embeddingBackward, operands, { count, length }, { groups: groupsOf(count) });
        });
      });
    },
  } satisfies Partial<KernelTable>;
}
