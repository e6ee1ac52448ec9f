/**
 * @file Reductions of integers (i32, u8 and bool words) over the middle of [outer, K, inner]. Exact modulo 2^32, so that the order does not
 * matter. Sums of rows, which count masks, are a kernel; the others are loops on the calling thread.
 */
import type { TensorView } from "../../backend/backend.js";
import type { AxisView, IntegerReduceKind, KernelTable } from "../../backend/kernel-table.js";
import { defineKernel, type KernelHost, type KernelRoom } from "../kernel.js";
import type { Local } from "../wasm/assembler.js";

const grainElements = 131_072;

/** One item is one row. */
const sumIntegerRows = defineKernel(
  "sumIntegerRows",
  { x: "i32", out: "i32", rowLength: "i32" },
  ({ f, begin, end, arg }) => {
    const [x, out, rowLength] = [arg("x"), arg("out"), arg("rowLength")];
    const [k, address, vectorEnd, total] = f.locals("i32", 4) as [Local, Local, Local, Local];
    const sums = f.local("v128");
    f.get(rowLength).i32(-4).op("i32.and").set(vectorEnd);
    f.forUp(
      begin,
      () => f.get(end),
      1,
      () => {
        f.get(x).get(begin).get(rowLength).op("i32.mul").i32(2).op("i32.shl", "i32.add").set(address);
        f.i32x4(0).set(sums).i32(0).set(k);
        f.forUp(
          k,
          () => f.get(vectorEnd),
          4,
          () => {
            f.get(address).mem("v128.load").get(sums).op("i32x4.add").set(sums);
            f.get(address).i32(16).op("i32.add").set(address);
          },
        );
        for (let lane = 0; lane < 4; lane++) f.get(sums).extractI32(lane);
        f.op("i32.add", "i32.add", "i32.add").set(total);
        f.forUp(
          k,
          () => f.get(rowLength),
          1,
          () => {
            f.get(address).mem("i32.load").get(total).op("i32.add").set(total);
            f.get(address).i32(4).op("i32.add").set(address);
          },
        );
        f.get(out).get(begin).i32(2).op("i32.shl", "i32.add").get(total).mem("i32.store");
      },
    );
  },
);

type Combine = (total: number, value: number) => number;

const combineOf: Readonly<Record<Exclude<IntegerReduceKind, "argMax" | "argMin">, Combine>> = {
  sum: (total, value) => (total + value) | 0,
  prod: Math.imul,
  max: Math.max,
  min: Math.min,
};
const identityOf = { sum: 0, prod: 1, max: -2147483648, min: 2147483647 } as const;

function reduceIntegers(
  host: KernelHost,
  kind: IntegerReduceKind,
  { x, axisView, out }: { readonly x: TensorView; readonly axisView: AxisView; readonly out: TensorView },
): void {
  const { outer, axisLength, inner } = axisView;
  if (kind === "sum" && inner === 1) {
    const args = { x: host.addressOf(x), out: host.addressOf(out), rowLength: axisLength };
    host.launch(sumIntegerRows, args, { numItems: outer, grain: Math.ceil(grainElements / Math.max(1, axisLength)) });
    return;
  }
  const { i32 } = host.words();
  const [from, to] = [host.addressOf(x) / 4, host.addressOf(out) / 4];
  for (let o = 0; o < outer; o++) {
    const first = from + o * axisLength * inner;
    const column = i32.subarray(to + o * inner, to + (o + 1) * inner);
    const rows = i32.subarray(first, first + axisLength * inner);
    if (kind === "argMax" || kind === "argMin") findExtremes(rows, column, kind === "argMax");
    else if (inner === 1) column[0] = foldRow(rows, combineOf[kind], identityOf[kind]);
    else foldRows(rows, column, { combine: combineOf[kind], identity: identityOf[kind] });
  }
}

function foldRow(row: Int32Array, combine: Combine, identity: number): number {
  let total = identity;
  for (let k = 0; k < row.length; k++) total = combine(total, row[k]!);
  return total;
}

function foldRows(
  rows: Int32Array,
  out: Int32Array,
  { combine, identity }: { readonly combine: Combine; readonly identity: number },
): void {
  out.fill(identity);
  for (let at = 0; at < rows.length; at += out.length) {
    for (let i = 0; i < out.length; i++) out[i] = combine(out[i]!, rows[at + i]!);
  }
}

/** The first place of the extreme value of each column. */
function findExtremes(rows: Int32Array, out: Int32Array, isMax: boolean): void {
  const inner = out.length;
  for (let i = 0; i < inner; i++) {
    let best = 0;
    for (let at = i, k = 0; at < rows.length; at += inner, k++) {
      const [value, known] = [rows[at]!, rows[best * inner + i]!];
      if (isMax ? value > known : value < known) best = k;
    }
    out[i] = best;
  }
}

export const reduceIntegersRoom: KernelRoom<Pick<KernelTable, "reduceIntegers">> = {
  kernels: [sumIntegerRows],
  rows: (host) => ({ reduceIntegers: (kind, x, axisView, out) => reduceIntegers(host, kind, { x, axisView, out }) }),
};
