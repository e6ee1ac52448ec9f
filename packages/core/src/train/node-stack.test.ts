import { describe, expect, test } from "vitest";
import type { Backend, DeviceBuffer, TensorView } from "../backend/backend.js";
import { BucketTracker, bucketsOf, flatLayout, parameterAt } from "./flat-layout.js";
import { NodeStack } from "./node-stack.js";
import { isTreeNode, treeSplit, treeSum } from "./tree-order.js";
import { VectorPool } from "./vector-pool.js";

/** Plain arrays with the three kernels that a fold uses; strided sources are two-dimensional at most. */
class PlainMemory {
  readonly arrays = new Map<DeviceBuffer, Float32Array>();
  readonly backend: Backend;

  constructor() {
    const at = (view: TensorView) => this.arrays.get(view.buffer)!;
    const kernels = {
      copy: (src: TensorView, dst: TensorView) => this.slice(dst).set(this.elements(src)),
      fill: (dst: TensorView, value: number) => void this.slice(dst).fill(value),
      addInto: (left: TensorView, right: TensorView, acc: TensorView) => {
        for (let i = 0; i < left.shape[0]!; i++) {
          at(acc)[acc.offset + i] = at(left)[left.offset + i]! + at(right)[right.offset + i]!;
        }
      },
    };
    const allocate = (byteLength: number) => {
      const buffer = { byteLength };
      this.arrays.set(buffer, new Float32Array(byteLength / 4).fill(Number.NaN));
      return buffer;
    };
    const free = (buffer: DeviceBuffer) => void this.arrays.delete(buffer);
    this.backend = { kernels, allocate, free } as unknown as Backend;
  }

  view(values: Float32Array, shape: number[], strides: number[]): TensorView {
    const buffer = this.backend.allocate(values.byteLength);
    this.arrays.get(buffer)!.set(values);
    return { buffer, offset: 0, shape, strides, dtype: "f32" };
  }

  private slice(view: TensorView): Float32Array {
    return this.arrays.get(view.buffer)!.subarray(view.offset, view.offset + view.shape.reduce((p, n) => p * n, 1));
  }

  private elements(view: TensorView): number[] {
    const out: number[] = [];
    const visit = (axis: number, at: number): void => {
      if (axis === view.shape.length) out.push(this.arrays.get(view.buffer)![at]!);
      else for (let i = 0; i < view.shape[axis]!; i++) visit(axis + 1, at + i * view.strides[axis]!);
    };
    visit(0, view.offset);
    return out;
  }
}

/** Numbers of very unlike size, so that another order of additions gives other bits. */
function roughValues(seed: number, length: number): Float32Array {
  let state = seed * 2654435761 + 1;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 31 - 1) * 10 ** (state % 7);
  });
}

function oracle(leaves: readonly Float32Array[], lo: number, hi: number): Float32Array {
  if (hi - lo === 1) return leaves[lo]!;
  const middle = lo + treeSplit(hi - lo);
  const left = oracle(leaves, lo, middle);
  const right = oracle(leaves, middle, hi);
  return left.map((x, i) => Math.fround(x + right[i]!));
}

const layout = flatLayout([
  ["a", { shape: [3, 2] }],
  ["empty", { shape: [0] }],
  ["b", { shape: [5] }],
]);

describe("NodeStack", () => {
  for (let numLeaves = 1; numLeaves <= 17; numLeaves++) {
    test(`L1 the sum of ${numLeaves} micro-batches has the bits of the recursive tree, in at most floor(log2 M) + 1 vectors`, () => {
      const memory = new PlainMemory();
      const pool = new VectorPool(memory.backend, layout.length);
      const leaves = Array.from({ length: numLeaves }, (_, m) => roughValues(m + 1, layout.length));
      const stack = new NodeStack(pool, layout, { lo: 0, hi: numLeaves });
      leaves.forEach((leaf, m) => {
        const fold = stack.leaf(m + 1);
        fold.add(0, memory.view(leaf.subarray(0, 5), [5], [1]));
        const transposed = Float32Array.from([0, 2, 4, 1, 3, 5], (i) => leaf[5 + i]!);
        fold.add(2, memory.view(transposed, [3, 2], [1, 3]));
        fold.finish();
      });
      const node = stack.complete();
      expect(memory.arrays.get(node.vector.buffer)).toEqual(oracle(leaves, 0, numLeaves));
      expect(node.weight).toBe((numLeaves * (numLeaves + 1)) / 2);
      expect(pool.peakUsed).toBeLessThanOrEqual(Math.floor(Math.log2(numLeaves)) + 1);
      expect(pool.numUsed).toBe(1);
    });
  }

  test("L1 nodes summed apart and added in tree order have the bits of the whole sum", () => {
    const memory = new PlainMemory();
    const pool = new VectorPool(memory.backend, layout.length);
    const leaves = Array.from({ length: 11 }, (_, m) => roughValues(m + 40, layout.length));
    const sums = [
      [0, 8],
      [8, 10],
      [10, 11],
    ].map(([lo, hi]) => {
      const stack = new NodeStack(pool, layout, { lo: lo!, hi: hi! });
      for (let m = lo!; m < hi!; m++) {
        const fold = stack.leaf(1);
        fold.add(0, memory.view(leaves[m]!.subarray(0, 5), [5], [1]));
        fold.add(2, memory.view(leaves[m]!.subarray(5), [3, 2], [2, 1]));
        fold.finish();
      }
      return memory.arrays.get(stack.complete().vector.buffer)!;
    });
    const tail = sums[1]!.map((x, i) => Math.fround(x + sums[2]![i]!));
    expect(sums[0]!.map((x, i) => Math.fround(x + tail[i]!))).toEqual(oracle(leaves, 0, 11));
  });

  test("L1 a node given up in the middle leaves its finished subtrees, and every other vector goes back", () => {
    const memory = new PlainMemory();
    const pool = new VectorPool(memory.backend, layout.length);
    const leaves = Array.from({ length: 7 }, (_, m) => roughValues(m + 90, layout.length));
    const stack = new NodeStack(pool, layout, { lo: 0, hi: 8 });
    for (const leaf of leaves) {
      const fold = stack.leaf(1);
      fold.add(0, memory.view(leaf.subarray(0, 5), [5], [1]));
      fold.add(2, memory.view(leaf.subarray(5), [3, 2], [2, 1]));
      fold.finish();
    }
    const parts = stack.dismantle();
    expect(parts.map(({ lo, hi, weight }) => [lo, hi, weight])).toEqual([
      [0, 4, 4],
      [4, 6, 2],
      [6, 7, 1],
    ]);
    for (const { lo, hi, vector } of parts) {
      expect(memory.arrays.get(vector.buffer)).toEqual(oracle(leaves, lo, hi));
      pool.release(vector);
    }
    expect(pool.numUsed).toBe(0);
    const failing = new NodeStack(pool, layout, { lo: 0, hi: 2 });
    failing.leaf(1).add(0, undefined); // never finished
    failing.abandon();
    expect(pool.numUsed).toBe(0);
  });

  test("a gradient that is absent counts as +0, also where -0 stood", () => {
    const memory = new PlainMemory();
    const stack = new NodeStack(new VectorPool(memory.backend, layout.length), layout, { lo: 0, hi: 2 });
    const first = stack.leaf(1);
    first.add(0, memory.view(new Float32Array(5).fill(-0), [5], [1]));
    first.finish();
    stack.leaf(0).finish();
    expect([...memory.arrays.get(stack.complete().vector.buffer)!]).toEqual(new Array(11).fill(0));
  });

  test("a weight that is no count, and a node that is not complete, are refused", () => {
    const stack = new NodeStack(new VectorPool(new PlainMemory().backend, layout.length), layout, { lo: 2, hi: 4 });
    expect(() => stack.leaf(Number.NaN)).toThrow(expect.objectContaining({ code: "E_WEIGHT" }));
    expect(() => stack.complete()).toThrow(expect.objectContaining({ code: "E_STATE" }));
  });
});

describe("the tree over micro-batches", () => {
  test("treeSum adds in f64 in tree order", () => {
    const values = [1e16, 1, -1e16, 1, 3];
    expect(treeSum(values)).toBe(1e16 + 1 + (-1e16 + 1) + 3);
    expect(treeSum([])).toBe(0);
  });

  test("a range is a node exactly when the splits reach it", () => {
    const nodes: string[] = [];
    for (let lo = 0; lo < 6; lo++)
      for (let hi = lo + 1; hi <= 6; hi++) if (isTreeNode(lo, hi, 6)) nodes.push(`${lo}-${hi}`);
    expect(nodes).toEqual(["0-1", "0-2", "0-4", "0-6", "1-2", "2-3", "2-4", "3-4", "4-5", "4-6", "5-6"]);
  });
});

describe("flatLayout", () => {
  test("lays parameters in reverse order of registration without gaps", () => {
    expect(layout.parameters.map((p) => [p.name, p.offset, p.length])).toEqual([
      ["b", 0, 5],
      ["empty", 5, 0],
      ["a", 5, 6],
    ]);
    expect(parameterAt(layout, 7)).toEqual({ parameter: layout.parameters[2], element: 2 });
  });

  test("a bucket is ready when the last parameter in it is final", () => {
    const buckets = bucketsOf(layout.length, 16);
    expect(buckets.map((b) => [b.begin, b.end])).toEqual([
      [0, 4],
      [4, 8],
      [8, 11],
    ]);
    const ready: number[] = [];
    const tracker = new BucketTracker(layout, buckets, (bucket) => ready.push(bucket.index));
    tracker.complete(2);
    expect(ready).toEqual([2]);
    tracker.complete(1);
    expect(ready).toEqual([2]);
    tracker.complete(0);
    expect(ready).toEqual([2, 0, 1]);
  });
});
