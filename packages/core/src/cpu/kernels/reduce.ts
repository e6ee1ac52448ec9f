/**
 * @file Sums, maxima and minima of [outer, K, inner] over K, in the order of sum-order.ts whatever `inner` is.
 *
 * First kernel: every block of 4,096 becomes one partial per output, partials [outer, numBlocks, inner]. Second kernel: the tree over
 * the blocks. With one block the partials are the result.
 */
import type { TensorView } from "../../backend/backend.js";
import type { AxisView, KernelTable, ReduceKind } from "../../backend/kernel-table.js";
import { defineKernel, type Kernel, type KernelHost, type KernelRoom } from "../kernel.js";
import { blockElements, blockFold, foldIdentity, numLanes, scalarFold, vectorFold } from "../sum-order.js";
import type { FunctionBuilder, Local } from "../wasm/assembler.js";

/** Columns of an item, and how many items go through their accumulators together. */
const stripColumns = 16;
const stripsAtOnce = 4;
const laneBytes = stripColumns * stripsAtOnce * 4;
const scratchBytes = numLanes * laneBytes;
const grainElements = 65_536;

interface ReduceKernels {
  /** inner = 1. One item is one block. */
  readonly rows: Kernel<{ x: "i32"; out: "i32"; axisLength: "i32"; numBlocks: "i32" }>;
  /** inner > 1. One item is 16 columns of one block. */
  readonly columns: Kernel<{
    x: "i32";
    out: "i32";
    axisLength: "i32";
    inner: "i32";
    numBlocks: "i32";
    numStrips: "i32";
  }>;
  /** One item is one output; overwrites the partials. */
  readonly tree: Kernel<{ partials: "i32"; out: "i32"; inner: "i32"; numBlocks: "i32" }>;
}

/** Sets row = item / count and rest = item % count. */
function divide(
  f: FunctionBuilder,
  item: Local,
  count: Local,
  out: { readonly row: Local; readonly rest: Local },
): void {
  f.get(item).get(count).op("i32.div_u").set(out.row);
  f.get(item).get(out.row).get(count).op("i32.mul", "i32.sub").set(out.rest);
}

/** Sets count = min(4,096, axisLength - block * 4,096). */
function blockCount(f: FunctionBuilder, axisLength: Local, block: Local, count: Local): void {
  f.get(axisLength).get(block).i32(blockElements).op("i32.mul", "i32.sub").tee(count).i32(blockElements);
  f.get(count).i32(blockElements).op("i32.lt_s", "select").set(count);
}

function rowsKernel(kind: ReduceKind): ReduceKernels["rows"] {
  return defineKernel(
    `${kind}Rows`,
    { x: "i32", out: "i32", axisLength: "i32", numBlocks: "i32" },
    ({ f, begin, end, arg, context }) => {
      const [x, out, axisLength, numBlocks] = [arg("x"), arg("out"), arg("axisLength"), arg("numBlocks")];
      const [row, block, count] = f.locals("i32", 3) as [Local, Local, Local];
      f.forUp(
        begin,
        () => f.get(end),
        1,
        () => {
          divide(f, begin, numBlocks, { row, rest: block });
          blockCount(f, axisLength, block, count);
          f.get(out).get(begin).i32(2).op("i32.shl", "i32.add");
          f.get(x).get(row).get(axisLength).op("i32.mul").get(block).i32(blockElements).op("i32.mul", "i32.add");
          f.i32(2).op("i32.shl", "i32.add").get(count).call(context.indexOf(blockFold[kind])).mem("f32.store");
        },
      );
    },
  );
}

function columnsKernel(kind: ReduceKind): ReduceKernels["columns"] {
  return defineKernel(
    `${kind}Columns`,
    { x: "i32", out: "i32", axisLength: "i32", inner: "i32", numBlocks: "i32", numStrips: "i32" },
    ({ f, begin, end, arg, scratch }) => {
      const [x, out, axisLength, inner] = [arg("x"), arg("out"), arg("axisLength"), arg("inner")];
      const [numBlocks, numStrips, lanes] = [arg("numBlocks"), arg("numStrips"), scratch()];
      const [outer, block, strip, part, width, count, from, to, columns] = f.locals("i32", 9) as Local[] as [
        Local,
        Local,
        Local,
        Local,
        Local,
        Local,
        Local,
        Local,
        Local,
      ];
      const min = (limit: () => void) => {
        f.get(width);
        limit();
        f.get(width);
        limit();
        f.op("i32.lt_s", "select").set(width);
      };
      f.block(() => {
        f.loop(() => {
          f.get(begin).get(end).op("i32.ge_s").brIf(1);
          divide(f, begin, numStrips, { row: part, rest: strip });
          divide(f, part, numBlocks, { row: outer, rest: block });
          f.i32(stripsAtOnce).set(width);
          min(() => f.get(end).get(begin).op("i32.sub"));
          min(() => f.get(numStrips).get(strip).op("i32.sub"));
          blockCount(f, axisLength, block, count);
          f.get(x).get(outer).get(axisLength).op("i32.mul").get(block).i32(blockElements).op("i32.mul", "i32.add");
          f.get(inner).op("i32.mul").get(strip).i32(stripColumns).op("i32.mul", "i32.add").i32(2);
          f.op("i32.shl", "i32.add").set(from);
          f.get(out).get(part).get(inner).op("i32.mul").get(strip).i32(stripColumns).op("i32.mul", "i32.add").i32(2);
          f.op("i32.shl", "i32.add").set(to);
          f.get(inner).get(strip).i32(stripColumns).op("i32.mul", "i32.sub").set(columns);
          emitClear(f, kind, lanes);
          emitAccumulate(f, kind, { lanes, from, count, width, inner });
          emitFinish(f, kind, { lanes, to, width, columns });
          f.get(begin).get(width).op("i32.add").set(begin).br(0);
        });
      });
    },
  );
}

function emitClear(f: FunctionBuilder, kind: ReduceKind, lanes: Local): void {
  const at = f.local("i32");
  f.i32(0).set(at);
  f.forUp(
    at,
    () => f.i32(scratchBytes),
    64,
    () => {
      for (let v = 0; v < 4; v++) {
        f.get(lanes)
          .get(at)
          .op("i32.add")
          .f32x4(foldIdentity[kind])
          .mem("v128.store", 16 * v);
      }
    },
  );
}

interface Accumulation {
  readonly lanes: Local;
  readonly from: Local;
  readonly count: Local;
  /** Strips. */
  readonly width: Local;
  readonly inner: Local;
}

/** Row k of the block goes to lane k % 16. */
function emitAccumulate(f: FunctionBuilder, kind: ReduceKind, place: Accumulation): void {
  const { lanes, from, count, width, inner } = place;
  const [k, lane, source, accumulator, endByte] = f.locals("i32", 5) as [Local, Local, Local, Local, Local];
  f.i32(0).set(k);
  f.forUp(
    k,
    () => f.get(count),
    1,
    () => {
      f.get(lanes)
        .get(k)
        .i32(numLanes - 1)
        .op("i32.and")
        .i32(laneBytes)
        .op("i32.mul", "i32.add")
        .set(lane);
      f.get(width)
        .i32(4 * stripColumns)
        .op("i32.mul")
        .set(endByte);
      f.i32(0).set(source);
      f.forUp(
        source,
        () => f.get(endByte),
        64,
        () => {
          f.get(lane).get(source).op("i32.add").set(accumulator);
          for (let v = 0; v < 4; v++) {
            f.get(accumulator)
              .get(accumulator)
              .mem("v128.load", 16 * v);
            f.get(from)
              .get(source)
              .op("i32.add")
              .mem("v128.load", 16 * v)
              .op(vectorFold[kind])
              .mem("v128.store", 16 * v);
          }
        },
      );
      f.get(from).get(inner).i32(2).op("i32.shl", "i32.add").set(from);
    },
  );
}

interface Finish {
  readonly lanes: Local;
  readonly to: Local;
  readonly width: Local;
  /** Columns from the first of the strips to the end of the row. */
  readonly columns: Local;
}

/** Folds the 16 lanes of each column and stores them. */
function emitFinish(f: FunctionBuilder, kind: ReduceKind, { lanes, to, width, columns }: Finish): void {
  const [at, endByte] = f.locals("i32", 2) as [Local, Local];
  const values = f.locals("v128", numLanes);
  const result = values[0] as Local;
  f.i32(0).set(at);
  f.get(width)
    .i32(4 * stripColumns)
    .op("i32.mul")
    .set(endByte);
  f.forUp(
    at,
    () => f.get(endByte),
    16,
    () => {
      f.get(columns).i32(0).op("i32.le_s").brIf(1);
      for (const [lane, value] of values.entries()) {
        f.get(lanes)
          .get(at)
          .op("i32.add")
          .mem("v128.load", laneBytes * lane)
          .set(value);
      }
      for (let half = numLanes / 2; half >= 1; half /= 2) {
        for (let lane = 0; lane < half; lane++) {
          const value = values[lane] as Local;
          f.get(value)
            .get(values[lane + half] as Local)
            .op(vectorFold[kind])
            .set(value);
        }
      }
      f.get(columns)
        .i32(4)
        .op("i32.ge_s")
        .if(
          () => f.get(to).get(at).op("i32.add").get(result).mem("v128.store"),
          () => {
            for (let lane = 0; lane < 3; lane++) {
              f.get(columns)
                .i32(lane)
                .op("i32.gt_s")
                .if(() => {
                  f.get(to)
                    .get(at)
                    .op("i32.add")
                    .get(result)
                    .storeLane32(lane, 4 * lane);
                });
            }
          },
        );
      f.get(columns).i32(4).op("i32.sub").set(columns);
    },
  );
}

function treeKernel(kind: ReduceKind): ReduceKernels["tree"] {
  return defineKernel(
    `${kind}Tree`,
    { partials: "i32", out: "i32", inner: "i32", numBlocks: "i32" },
    ({ f, begin, end, arg }) => {
      const [partials, out, inner, numBlocks] = [arg("partials"), arg("out"), arg("inner"), arg("numBlocks")];
      const [outer, column, base, span, i, left] = f.locals("i32", 6) as Local[] as [
        Local,
        Local,
        Local,
        Local,
        Local,
        Local,
      ];
      const address = (push: () => void) => {
        f.get(base);
        push();
        f.get(inner).op("i32.mul").i32(2).op("i32.shl", "i32.add");
      };
      f.forUp(
        begin,
        () => f.get(end),
        1,
        () => {
          divide(f, begin, inner, { row: outer, rest: column });
          f.get(partials).get(outer).get(numBlocks).get(inner).op("i32.mul", "i32.mul").get(column).op("i32.add");
          f.i32(2).op("i32.shl", "i32.add").set(base).i32(1).set(span);
          f.block(() => {
            f.loop(() => {
              f.get(span).get(numBlocks).op("i32.ge_s").brIf(1);
              f.i32(0).set(i);
              f.block(() => {
                f.loop(() => {
                  f.get(i).get(span).op("i32.add").get(numBlocks).op("i32.ge_s").brIf(1);
                  address(() => f.get(i));
                  f.tee(left).get(left).mem("f32.load");
                  address(() => f.get(i).get(span).op("i32.add"));
                  f.mem("f32.load").op(scalarFold[kind]).mem("f32.store");
                  f.get(i).get(span).i32(1).op("i32.shl", "i32.add").set(i).br(0);
                });
              });
              f.get(span).i32(1).op("i32.shl").set(span).br(0);
            });
          });
          f.get(out).get(begin).i32(2).op("i32.shl", "i32.add").get(base).mem("f32.load").mem("f32.store");
        },
      );
    },
  );
}

const kernelsOf = (kind: ReduceKind): ReduceKernels => ({
  rows: rowsKernel(kind),
  columns: columnsKernel(kind),
  tree: treeKernel(kind),
});
const kernelsByKind: Readonly<Record<ReduceKind, ReduceKernels>> = {
  sum: kernelsOf("sum"),
  max: kernelsOf("max"),
  min: kernelsOf("min"),
};

export interface ReduceAddresses {
  readonly x: number;
  readonly out: number;
}

/** `reduce` on byte addresses, for kernels that need the same order. */
function reduceAddresses(
  host: KernelHost,
  kind: ReduceKind,
  { x, out, outer, axisLength, inner }: ReduceAddresses & AxisView,
): void {
  const numOutputs = outer * inner;
  if (numOutputs === 0) return;
  const kernels = kernelsByKind[kind];
  const numBlocks = Math.max(1, Math.ceil(axisLength / blockElements));
  const fold = (partials: number) => {
    const blockLength = Math.max(1, Math.min(axisLength, blockElements));
    if (inner === 1) {
      const options = { numItems: outer * numBlocks, grain: Math.ceil(grainElements / blockLength) };
      host.launch(kernels.rows, { x, out: partials, axisLength, numBlocks }, options);
      return;
    }
    const numStrips = Math.ceil(inner / stripColumns);
    const grain = Math.ceil(grainElements / 2 / (blockLength * Math.min(inner, stripColumns)));
    const options = { numItems: outer * numBlocks * numStrips, grain, scratchBytes };
    host.launch(kernels.columns, { x, out: partials, axisLength, inner, numBlocks, numStrips }, options);
  };
  if (numBlocks === 1) {
    fold(out);
    return;
  }
  host.withTemporary(4 * numOutputs * numBlocks, (partials) => {
    fold(partials);
    const grain = Math.ceil(grainElements / numBlocks);
    host.launch(kernels.tree, { partials, out, inner, numBlocks }, { numItems: numOutputs, grain });
  });
}

function reduce(
  host: KernelHost,
  kind: ReduceKind,
  operands: { x: TensorView; out: TensorView; axisView: AxisView },
): void {
  const { x, out, axisView } = operands;
  reduceAddresses(host, kind, { x: host.addressOf(x), out: host.addressOf(out), ...axisView });
}

export const reduceRoom: KernelRoom<Pick<KernelTable, "reduce">> = {
  kernels: Object.values(kernelsByKind).flatMap(({ rows, columns, tree }): Kernel[] => [rows, columns, tree]),
  rows: (host) => ({ reduce: (kind, x, axisView, out) => reduce(host, kind, { x, out, axisView }) }),
};
