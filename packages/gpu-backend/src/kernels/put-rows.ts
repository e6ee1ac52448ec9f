/** @file Rows written at indices, the last of several staying: first the last place of each row is found, then it is copied. */
import type { KernelTable } from "@lockstep/core/backend";
import { numElements } from "@lockstep/core/backend";
import { defineKernel, groupsOf, type KernelHost } from "../launch/kernel.js";

const clear = defineKernel({
  name: "putRowsClear",
  operands: { last: "write i32" },
  params: { count: "u32" },
  body: "if (item < p.count) { last_put(item, -1); }",
});

const findLast = defineKernel({
  name: "putRowsLast",
  operands: { ids: "read i32", last: "write atomic" },
  params: { count: "u32" },
  body: "if (item < p.count) { let old = last_max(u32(ids_at(item)), i32(item)); }",
});

const copyLast = defineKernel({
  name: "putRowsCopy",
  operands: { ids: "read i32", last: "read i32", source: "read i32", out: "write i32" },
  params: { count: "u32", width: "u32" },
  body: `
  if (item >= p.count) { return; }
  let row = item / p.width;
  let id = ids_at(row);
  if (last_at(u32(id)) == i32(row)) { out_put(u32(id) * p.width + item % p.width, source_at(item)); }`,
});

export function putRowsRows(host: KernelHost): Pick<KernelTable, "putRows"> {
  return {
    putRows(ids, source, out): void {
      const count = numElements(source.shape);
      if (count === 0) return;
      const [numIds = 0, width = 0] = source.shape;
      const numRows = out.shape[0]!;
      host.withTemporary([numRows], "i32", (last) => {
        host.launch(clear, { last }, { count: numRows }, { groups: groupsOf(numRows) });
        host.launch(findLast, { ids, last }, { count: numIds }, { groups: groupsOf(numIds) });
        host.launch(copyLast, { ids, last, source, out }, { count, width }, { groups: groupsOf(count) });
      });
    },
  };
}
