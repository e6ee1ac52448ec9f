/**
 * @file The largest element of each window of a plane, and its place. A NaN counts as the largest; of equals the first wins.
 *
 * An item is a plane. max-pool-pairs.ts does the windows that are met most. Windows are ranges of rows times ranges of columns, given by tables.
 */
import type { TensorView } from "../../backend/backend.js";
import type { KernelTable, MaxPoolOutputs, PlaneWindows } from "../../backend/kernel-table.js";
import { defineKernel, type KernelHost, type KernelRoom } from "../kernel.js";
import type { Local } from "../wasm/assembler.js";
import { add, assign, define, forRange, increase, loadInt, mul, push, words } from "../wasm/integer.js";
import { maxPoolPairsKernel } from "./max-pool-pairs.js";

/** Elements that take about 20 us. */
const grainElements = 8_000;

const args = {
  x: "i32",
  out: "i32",
  index: "i32",
  height: "i32",
  width: "i32",
  outHeight: "i32",
  outWidth: "i32",
  /** outHeight pairs of first row and end, then outWidth pairs for the columns. */
  table: "i32",
} as const;

const maxPoolKernel = defineKernel("maxPool", args, ({ f, begin, end, arg }) => {
  const [x, out, index, height, width] = [arg("x"), arg("out"), arg("index"), arg("height"), arg("width")];
  const [outHeight, outWidth, table] = [arg("outHeight"), arg("outWidth"), arg("table")];
  const outPlane = define(f, words(mul(outHeight, outWidth)));
  const columnTable = define(f, add(table, mul(outHeight, 8)));
  const columnEnd = define(f, add(columnTable, mul(outWidth, 8)));
  const [best, value] = f.locals("f32", 2) as [Local, Local];
  const [plane, toValue, toIndex, place] = f.locals("i32", 4) as [Local, Local, Local, Local];
  const [firstColumn, endColumn, row, endRow, at, isLarger] = f.locals("i32", 6) as [
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
  ];
  forRange(f, { from: begin, to: end }, (item) => {
    assign(f, plane, add(x, words(mul(item, mul(height, width)))));
    assign(f, toValue, add(out, mul(item, outPlane)));
    assign(f, toIndex, add(index, mul(item, outPlane)));
    forRange(f, { from: table, to: columnTable, step: 8 }, (rowEntry) => {
      assign(f, row, mul(loadInt(rowEntry), width));
      assign(f, endRow, mul(loadInt(rowEntry, 4), width));
      forRange(f, { from: columnTable, to: columnEnd, step: 8 }, (columnEntry) => {
        assign(f, firstColumn, loadInt(columnEntry));
        assign(f, endColumn, loadInt(columnEntry, 4));
        assign(f, place, add(row, firstColumn));
        push(f, add(plane, words(place)))
          .mem("f32.load")
          .set(best);
        forRange(f, { from: row, to: endRow, step: width }, (start) => {
          assign(f, at, add(start, endColumn));
          forRange(f, { from: add(start, firstColumn), to: at }, (element) => {
            push(f, add(plane, words(element)))
              .mem("f32.load")
              .set(value);
            // Without a branch: which element is larger cannot be predicted.
            f.get(value).get(best).op("f32.gt").get(value).get(value).op("f32.ne", "i32.or").set(isLarger);
            f.get(value).get(best).get(isLarger).op("select").set(best);
            f.get(element).get(place).get(isLarger).op("select").set(place);
          });
        });
        f.get(toValue).get(best).mem("f32.store");
        f.get(toIndex).get(place).mem("i32.store");
        increase(f, toValue, 4);
        increase(f, toIndex, 4);
      });
    });
  });
});

function launch(host: KernelHost, x: TensorView, windows: PlaneWindows, { out, index }: MaxPoolOutputs): void {
  const [numItems = 0, height = 0, width = 0] = x.shape;
  const [outHeight, outWidth] = [windows.rows.length, windows.columns.length];
  if (numItems * outHeight * outWidth === 0) return;
  const values = {
    x: host.addressOf(x),
    out: host.addressOf(out),
    index: host.addressOf(index),
    height,
    width,
    outHeight,
    outWidth,
  };
  const grain = Math.ceil(grainElements / (height * width));
  if (arePairs(windows.rows) && arePairs(windows.columns)) {
    host.launch(maxPoolPairsKernel, values, { numItems, grain: 6 * grain });
    return;
  }
  host.withTemporary(8 * (outHeight + outWidth), (table) => {
    host.words().i32.set([...windows.rows, ...windows.columns].flat(), table / 4);
    host.launch(maxPoolKernel, { ...values, table }, { numItems, grain });
  });
}

/** Windows of two places that follow each other. */
function arePairs(ranges: PlaneWindows["rows"]): boolean {
  return ranges.every(([from, to], i) => from === 2 * i && to === from + 2);
}

export const maxPoolRoom: KernelRoom<Pick<KernelTable, "maxPool">> = {
  kernels: [maxPoolKernel, maxPoolPairsKernel],
  rows: (host) => ({ maxPool: (x, windows, outputs) => launch(host, x, windows, outputs) }),
};
