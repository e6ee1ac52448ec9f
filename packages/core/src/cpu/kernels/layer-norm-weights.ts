/**
 * @file dWeight and dBias of layerNorm: sums over the rows, in the order of `reduce` over an outer axis (sum-order.ts).
 *
 *   dWeight[c] = sum over n of dOut[n, c] * xhat[n, c]      dBias[c] = sum over n of dOut[n, c]
 *
 * Row n adds to lane n % 16 of its block of 4,096 rows. An item is four columns; the lanes of a thread's columns lie in scratch
 * memory, one row of scratch a lane, so that rows of the input are read along memory.
 * Legend: N flattened rows, C embed.
 */
import type { TensorView } from "../../backend/backend.js";
import type { LayerNormBackwardInputs } from "../../backend/kernel-table.js";
import { defineKernel, type KernelBody, type KernelHost } from "../kernel.js";
import { blockElements, numLanes } from "../sum-order.js";
import type { Local } from "../wasm/assembler.js";
import {
  add,
  and,
  assign,
  define,
  forRange,
  type Int,
  increase,
  loadVector,
  lt,
  max,
  min,
  mul,
  push,
  storeVector,
  sub,
  whileTrue,
  words,
} from "../wasm/integer.js";
import { copyRow, scratchRowBytes } from "./row-loop.js";

const args = {
  dOut: "i32",
  x: "i32",
  mean: "i32",
  rstd: "i32",
  numRows: "i32",
  length: "i32",
  dWeight: "i32",
  dBias: "i32",
  /** Bytes of one scratch row. */
  rowBytes: "i32",
} as const;
type Args = typeof args;

/** Scratch rows: for both sums 16 lanes, then the sum of each block. */
interface Columns {
  readonly p: Readonly<Record<keyof Args, Local>>;
  /** Byte offset of the first column in a row, and bytes of the columns. */
  readonly start: Local;
  readonly width: Local;
  readonly weightLanes: Local;
  readonly biasLanes: Local;
}

export const layerNormWeights = defineKernel("layerNormWeightGradients", args, (kernel) => {
  const { f, begin, end } = kernel;
  const p = kernel.allArgs();
  const start = define(f, mul(begin, 16));
  const width = define(f, mul(sub(end, begin), 16));
  const weightLanes = kernel.scratch();
  const biasLanes = define(f, add(weightLanes, mul(p.rowBytes, numLanes)));
  const columns: Columns = { p, start, width, weightLanes, biasLanes };
  const blockSums = define(f, add(biasLanes, mul(p.rowBytes, numLanes)));
  const blockBytes = define(f, mul(p.rowBytes, 2));
  const sums = define(f, blockSums);
  const stop = f.local("i32");
  // No rows are one empty block: zeros.
  const numRows = define(f, max(p.numRows, 1));
  forRange(f, { from: 0, to: numRows, step: blockElements }, (row) => {
    assign(f, stop, add(row, blockElements));
    assign(f, stop, min(stop, p.numRows));
    emitBlock(kernel, columns, { row, stop });
    emitFold(kernel, columns, { lanes: weightLanes, to: sums });
    emitFold(kernel, columns, { lanes: biasLanes, to: add(sums, p.rowBytes) });
    increase(f, sums, blockBytes);
  });
  emitTree(kernel, { first: blockSums, end: sums, blockBytes });
  emitCopy(kernel, columns, blockSums);
});

/** lanes = +0, then row n of the block to lane n % 16. */
function emitBlock(
  { f }: KernelBody<Args>,
  { p, start, width, ...at }: Columns,
  block: { row: Local; stop: Local },
): void {
  const laneBytes = define(f, mul(p.rowBytes, 2 * numLanes));
  forRange(f, { from: 0, to: laneBytes, step: 16 }, (offset) => {
    push(f, add(at.weightLanes, offset)).f32x4(0).mem("v128.store");
  });
  const [dOut, xhat, means, rstds] = f.locals("v128", 4) as [Local, Local, Local, Local];
  const [from, toWeight, toBias] = f.locals("i32", 3) as [Local, Local, Local];
  forRange(f, { from: block.row, to: block.stop }, (n) => {
    const lane = mul(and(n, numLanes - 1), p.rowBytes);
    assign(f, toWeight, add(at.weightLanes, lane));
    assign(f, toBias, add(at.biasLanes, lane));
    assign(f, from, add(words(mul(n, p.length)), start));
    push(f, add(p.mean, words(n)))
      .mem("v128.load32_splat")
      .set(means);
    push(f, add(p.rstd, words(n)))
      .mem("v128.load32_splat")
      .set(rstds);
    forRange(f, { from: 0, to: width, step: 16 }, (offset) => {
      loadVector(f, dOut, add(p.dOut, from, offset));
      push(f, add(p.x, from, offset)).mem("v128.load");
      f.get(means).op("f32x4.sub").get(rstds).op("f32x4.mul").set(xhat);
      push(f, add(toWeight, offset));
      push(f, add(toWeight, offset)).mem("v128.load").get(dOut).get(xhat).op("f32x4.mul", "f32x4.add");
      f.mem("v128.store");
      push(f, add(toBias, offset));
      push(f, add(toBias, offset)).mem("v128.load").get(dOut).op("f32x4.add").mem("v128.store");
    });
  });
}

/** to[c] = lanes l, l + 8, + 4, + 2, + 1 of column c. */
function emitFold({ f }: KernelBody<Args>, { p, width }: Columns, at: { lanes: Local; to: Int }): void {
  const lanes = f.locals("v128", numLanes);
  const address = f.local("i32");
  const to = define(f, at.to);
  forRange(f, { from: 0, to: width, step: 16 }, (offset) => {
    assign(f, address, add(at.lanes, offset));
    for (const lane of lanes) {
      loadVector(f, lane, address);
      increase(f, address, p.rowBytes);
    }
    for (let half = numLanes / 2; half >= 1; half /= 2) {
      for (let l = 0; l < half; l++)
        f.get(lanes[l]!)
          .get(lanes[l + half]!)
          .op("f32x4.add")
          .set(lanes[l]!);
    }
    storeVector(f, lanes[0]!, add(to, offset));
  });
}

/** Adds the block sums by the balanced tree, into the first. */
function emitTree({ f }: KernelBody<Args>, sums: { first: Local; end: Local; blockBytes: Local }): void {
  const span = define(f, sums.blockBytes);
  const other = f.local("i32");
  const vector = f.local("v128");
  const total = define(f, sub(sums.end, sums.first));
  whileTrue(f, lt(span, total), () => {
    forRange(f, { from: 0, to: sub(total, span), step: mul(span, 2) }, (left) => {
      assign(f, other, add(sums.first, left, span));
      forRange(f, { from: 0, to: sums.blockBytes, step: 16 }, (offset) => {
        push(f, add(sums.first, left, offset)).mem("v128.load");
        push(f, add(other, offset)).mem("v128.load").op("f32x4.add").set(vector);
        storeVector(f, vector, add(sums.first, left, offset));
      });
    });
    increase(f, span, span);
  });
}

function emitCopy({ f, context }: KernelBody<Args>, { p, start, width }: Columns, sums: Local): void {
  const count = define(f, { op: "i32.shr_u", operands: [sub(words(p.length), start), 2] });
  const columns = define(f, { op: "i32.shr_u", operands: [width, 2] });
  assign(f, count, min(count, columns));
  for (const [from, to] of [
    [sums, p.dWeight],
    [add(sums, p.rowBytes), p.dBias],
  ] as const) {
    push(f, from);
    push(f, add(to, start)).get(count).call(context.indexOf(copyRow));
  }
}

/** Multiply-adds that take about 20 us. */
const grainWork = 40_000;

export function launchLayerNormWeights(
  host: KernelHost,
  inputs: LayerNormBackwardInputs,
  outputs: { readonly dWeight: TensorView; readonly dBias: TensorView },
): void {
  const [numRows = 0, length = 0] = inputs.x.shape;
  const numItems = Math.ceil(length / 4);
  if (numItems === 0) return;
  const rowBytes = scratchRowBytes(length);
  const numBlocks = Math.max(1, Math.ceil(numRows / blockElements));
  const values = {
    dOut: host.addressOf(inputs.dOut),
    x: host.addressOf(inputs.x),
    mean: host.addressOf(inputs.mean),
    rstd: host.addressOf(inputs.rstd),
    numRows,
    length,
    dWeight: host.addressOf(outputs.dWeight),
    dBias: host.addressOf(outputs.dBias),
    rowBytes,
  };
  // Four items share a cache line.
  const grain = Math.max(4, Math.ceil(grainWork / (4 * Math.max(1, numRows))));
  host.launch(layerNormWeights, values, { numItems, grain, scratchBytes: (2 * numLanes + 2 * numBlocks) * rowBytes });
}
