/**
 * @file Kernels on views laid end to end: sumSquares, findNonFinite, addInto, hash. Pieces that straddle two views are put together in
 * temporary memory; everything else is read where it is.
 */
import type { TensorView } from "../../backend/backend.js";
import type { KernelTable } from "../../backend/kernel-table.js";
import { numElements } from "../../backend/strided.js";
import { finishHash, initialLanes, stripeBytes, stripeWords } from "../../hash/hash128.js";
import { defineKernel, type KernelHost, type KernelRoom } from "../kernel.js";
import { blockElements, numLanes } from "../sum-order.js";
import { treeFold } from "../sum-order-reference.js";
import type { Local } from "../wasm/assembler.js";
import { addRange, findNonFiniteRange, hashStripes } from "./ranges.js";

const grainBlocks = 16;

/** One item is one block of 4,096 elements of both operands. */
const addKernel = defineKernel(
  "addInto",
  { left: "i32", right: "i32", out: "i32", count: "i32" },
  ({ f, begin, end, arg, context }) => {
    const [left, right, out, count] = [arg("left"), arg("right"), arg("out"), arg("count")];
    const last = f.local("i32");
    f.get(begin).i32(blockElements).op("i32.mul").set(begin);
    f.get(end)
      .i32(blockElements)
      .op("i32.mul")
      .tee(last)
      .get(count)
      .get(last)
      .get(count)
      .op("i32.lt_s", "select")
      .set(last);
    for (const pointer of [left, right, out]) f.get(pointer).get(begin).i32(2).op("i32.shl", "i32.add");
    f.get(last).get(begin).op("i32.sub").call(context.indexOf(addRange));
  },
);

/** One item is one block: out[block] = index of its first non-finite element in the block, or -1. */
const findNonFiniteKernel = defineKernel(
  "findNonFinite",
  { x: "i32", out: "i32", count: "i32" },
  ({ f, begin, end, arg, context }) => {
    const [x, out, count] = [arg("x"), arg("out"), arg("count")];
    const length = f.local("i32");
    f.forUp(
      begin,
      () => f.get(end),
      1,
      () => {
        f.get(count).get(begin).i32(blockElements).op("i32.mul", "i32.sub").tee(length).i32(blockElements);
        f.get(length).i32(blockElements).op("i32.lt_s", "select").set(length);
        f.get(out).get(begin).i32(2).op("i32.shl", "i32.add");
        f.get(x)
          .get(begin)
          .i32(4 * blockElements)
          .op("i32.mul", "i32.add")
          .get(length);
        f.call(context.indexOf(findNonFiniteRange)).mem("i32.store");
      },
    );
  },
);

/** One item is one block whose address stands in `blocks`: out[block] = its sum of squares, f64. */
const sumSquaresKernel = defineKernel("sumSquares", { blocks: "i32", out: "i32" }, ({ f, begin, end, arg }) => {
  const [blocks, out] = [arg("blocks"), arg("out")];
  const [address, i] = f.locals("i32", 2) as [Local, Local];
  const lanes = f.locals("v128", numLanes / 2);
  const [x, wide] = f.locals("v128", 2) as [Local, Local];
  f.forUp(
    begin,
    () => f.get(end),
    1,
    () => {
      f.get(blocks).get(begin).i32(2).op("i32.shl", "i32.add").mem("i32.load").set(address);
      for (const lane of lanes) f.v128([0, 0, 0, 0]).set(lane);
      f.i32(0).set(i);
      f.forUp(
        i,
        () => f.i32(blockElements),
        numLanes,
        () => {
          for (const [pair, lane] of lanes.entries()) {
            if (pair % 2 === 0)
              f.get(address)
                .mem("v128.load", 8 * pair)
                .tee(x);
            else f.get(x).get(x).shuffle32([2, 3, 2, 3]);
            f.op("f64x2.promote_low_f32x4").tee(wide).get(wide).op("f64x2.mul").get(lane).op("f64x2.add").set(lane);
          }
          f.get(address).i32(64).op("i32.add").set(address);
        },
      );
      for (let half = numLanes / 4; half >= 1; half /= 2) {
        for (let pair = 0; pair < half; pair++) {
          const lane = lanes[pair] as Local;
          f.get(lane)
            .get(lanes[pair + half] as Local)
            .op("f64x2.add")
            .set(lane);
        }
      }
      const first = lanes[0] as Local;
      f.get(out).get(begin).i32(3).op("i32.shl", "i32.add");
      f.get(first).extractF64(0).get(first).extractF64(1).op("f64.add").mem("f64.store");
    },
  );
});

/** Launched over numStripes items that must run in order: an infinite grain keeps it on one thread. */
const hashKernel = defineKernel("hash", { address: "i32", lanes: "i32" }, ({ f, begin, end, arg, context }) => {
  f.get(arg("address")).get(begin).i32(stripeBytes).op("i32.mul", "i32.add").get(end).get(begin).op("i32.sub");
  f.get(arg("lanes")).call(context.indexOf(hashStripes));
});

/**
 * Cuts views laid end to end into pieces of `pieceElements`: calls `whole` with runs of pieces that lie inside a view, and `mixed`
 * with a piece put together at `assembly` (the last one padded with zeros), in order.
 */
function cutFlat(
  host: KernelHost,
  tensors: readonly TensorView[],
  { pieceElements, assemblyAt, whole, mixed }: FlatCut,
): number {
  let position = 0;
  const { f32 } = host.words();
  let assembly = 0;
  for (const view of tensors) {
    const length = numElements(view.shape);
    const start = host.addressOf(view) / 4;
    let taken = 0;
    while (taken < length) {
      const filled = position % pieceElements;
      const left = length - taken;
      const pieces = filled === 0 ? Math.floor(left / pieceElements) : 0;
      const count = pieces > 0 ? pieces * pieceElements : Math.min(pieceElements - filled, left);
      if (pieces > 0) whole(4 * (start + taken), pieces);
      else {
        if (filled === 0) assembly = assemblyAt() / 4;
        f32.copyWithin(assembly + filled, start + taken, start + taken + count);
        if (filled + count === pieceElements) mixed(4 * assembly);
      }
      taken += count;
      position += count;
    }
  }
  const filled = position % pieceElements;
  if (filled > 0) {
    f32.fill(0, assembly + filled, assembly + pieceElements);
    mixed(4 * assembly);
  }
  return position;
}

interface FlatCut {
  readonly pieceElements: number;
  /** Byte address where the next piece may be put together. */
  readonly assemblyAt: () => number;
  readonly whole: (address: number, pieces: number) => void;
  readonly mixed: (address: number) => void;
}

function sumSquares(host: KernelHost, tensors: readonly TensorView[]): number {
  const total = tensors.reduce((sum, view) => sum + numElements(view.shape), 0);
  const numBlocks = Math.ceil(total / blockElements);
  if (numBlocks === 0) return 0;
  // Sums (f64), block addresses, then one block for each place where views meet and one for the end.
  const addressesAt = 8 * numBlocks;
  const assembliesAt = addressesAt + 4 * numBlocks;
  const blockBytes = 4 * blockElements;
  const mixedBlocks = Math.min(numBlocks, tensors.length + 1);
  return host.withTemporary(assembliesAt + mixedBlocks * blockBytes, (temporary) => {
    const { i32, f64 } = host.words();
    let block = (temporary + addressesAt) / 4;
    let assembly = temporary + assembliesAt - blockBytes;
    cutFlat(host, tensors, {
      pieceElements: blockElements,
      assemblyAt: () => {
        assembly += blockBytes;
        return assembly;
      },
      whole: (address, pieces) => {
        for (let i = 0; i < pieces; i++) i32[block++] = address + i * blockBytes;
      },
      mixed: (address) => {
        i32[block++] = address;
      },
    });
    const args = { blocks: temporary + addressesAt, out: temporary };
    host.launch(sumSquaresKernel, args, { numItems: numBlocks, grain: grainBlocks });
    return treeFold(f64.slice(temporary / 8, temporary / 8 + numBlocks), (sum) => sum);
  });
}

function findNonFinite(host: KernelHost, x: TensorView): number {
  const count = numElements(x.shape);
  const numBlocks = Math.ceil(count / blockElements);
  if (numBlocks === 0) return -1;
  return host.withTemporary(4 * numBlocks, (out) => {
    host.launch(findNonFiniteKernel, { x: host.addressOf(x), out, count }, { numItems: numBlocks, grain: grainBlocks });
    const { i32 } = host.words();
    for (let block = 0; block < numBlocks; block++) {
      const index = i32[out / 4 + block] ?? -1;
      if (index >= 0) return block * blockElements + index;
    }
    return -1;
  });
}

function addInto(host: KernelHost, operands: { left: TensorView; right: TensorView; out: TensorView }): void {
  const count = numElements(operands.out.shape);
  const args = {
    left: host.addressOf(operands.left),
    right: host.addressOf(operands.right),
    out: host.addressOf(operands.out),
    count,
  };
  host.launch(addKernel, args, { numItems: Math.ceil(count / blockElements), grain: 2 * grainBlocks });
}

function hash(host: KernelHost, tensors: readonly TensorView[]): string {
  return host.withTemporary(2 * stripeBytes, (lanes) => {
    const { i32 } = host.words();
    i32.set(initialLanes(), lanes / 4);
    const mix = (address: number, numItems: number) =>
      host.launch(hashKernel, { address, lanes }, { numItems, grain: Number.POSITIVE_INFINITY });
    const numWords = cutFlat(host, tensors, {
      pieceElements: stripeWords,
      assemblyAt: () => lanes + stripeBytes,
      whole: mix,
      mixed: (address) => mix(address, 1),
    });
    return finishHash(i32.slice(lanes / 4, lanes / 4 + stripeWords), 4 * numWords);
  });
}

export const flatRoom: KernelRoom<Pick<KernelTable, "sumSquares" | "findNonFinite" | "addInto" | "hash">> = {
  kernels: [addKernel, findNonFiniteKernel, sumSquaresKernel, hashKernel],
  rows: (host) => ({
    sumSquares: (tensors) => sumSquares(host, tensors),
    findNonFinite: (x) => findNonFinite(host, x),
    addInto: (left, right, out) => addInto(host, { left, right, out }),
    hash: (tensors) => hash(host, tensors),
  }),
};
