/** @file Largest elements of windows and their places: one invocation a window. NaN is the largest; the first of equals. */
import type { KernelTable } from "@lockstep/core/backend";
import { defineKernel, groupsOf, type KernelHost } from "../launch/kernel.js";
import { bits } from "../math/bits.js";

const maxPool = defineKernel({
  name: "maxPool",
  operands: { x: "read f32", rows: "read i32", columns: "read i32", out: "write f32", index: "write i32" },
  params: { count: "u32", height: "u32", width: "u32", outHeight: "u32", outWidth: "u32" },
  uses: [bits],
  body: `
  if (item >= p.count) { return; }
  let column = item % p.outWidth;
  let row = (item / p.outWidth) % p.outHeight;
  let plane = (item / (p.outWidth * p.outHeight)) * p.height * p.width;
  let endRow = u32(rows_at(2u * row + 1u));
  let startColumn = u32(columns_at(2u * column));
  let endColumn = u32(columns_at(2u * column + 1u));
  var place = u32(rows_at(2u * row)) * p.width + startColumn;
  var best = x_at(plane + place);
  for (var r = u32(rows_at(2u * row)); r < endRow; r++) {
    for (var c = startColumn; c < endColumn; c++) {
      let value = x_at(plane + r * p.width + c);
      if (!isNan(best) && (isNan(value) || value > best)) { best = value; place = r * p.width + c; }
    }
  }
  out_put(item, best);
  index_put(item, i32(place));`,
});

export function maxPoolRows(host: KernelHost): Pick<KernelTable, "maxPool"> {
  return {
    maxPool(x, windows, { out, index }): void {
      const [planes = 0, height = 0, width = 0] = x.shape;
      const [outHeight, outWidth] = [windows.rows.length, windows.columns.length];
      const count = planes * outHeight * outWidth;
      if (count === 0) return;
      const rows = host.constantWords(windows.rows.flat());
      const columns = host.constantWords(windows.columns.flat());
      const params = { count, height, width, outHeight, outWidth };
      host.launch(maxPool, { x, rows, columns, out, index }, params, { groups: groupsOf(count) });
    },
  };
}
