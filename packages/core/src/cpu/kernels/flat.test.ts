import { describe, expect, test } from "vitest";
import { hash128 } from "../../hash/hash128.js";
import { createCpuBackend, createCpuMemory } from "../cpu-backend.js";
import { sumInOrder64 } from "../sum-order-reference.js";
import { createVectorOps } from "../vector-ops.js";
import { behind, bitsOf, randomValues, valuesOf, viewOf } from "../views.testkit.js";

const cuts = [
  [10],
  [4_096],
  [4_095, 1],
  [1, 4_096, 4_095],
  [5_000, 0, 3, 9_000, 4_096],
  [1, 1, 1],
  [64, 63, 1, 20_000],
];

function concatenated(parts: readonly Float32Array[]): Float32Array {
  return Float32Array.from(parts.flatMap((part) => Array.from(part)));
}

describe("kernels on views laid end to end", () => {
  const backend = createCpuBackend();
  const viewsOf = (parts: readonly Float32Array[]) =>
    parts.map((part, i) => viewOf(backend, [part.length], part, { offset: i % 3, tail: 2 }));

  test("sumSquares adds in the order of the whole flat vector, wherever the views are cut", () => {
    for (const lengths of cuts) {
      const parts = lengths.map((length, i) => randomValues(i + length, length));
      const flat = concatenated(parts);
      const expected = sumInOrder64(Float64Array.from(flat, (x) => x * x));
      expect({ lengths, sum: backend.kernels.sumSquares(viewsOf(parts)) }).toEqual({ lengths, sum: expected });
    }
    expect(backend.kernels.sumSquares([])).toBe(0);
  });

  test("hash has the digits of hash128 over the bytes, wherever the views are cut", () => {
    for (const lengths of [...cuts, [0], [16], [15, 2]]) {
      const parts = lengths.map((length, i) => randomValues(i + length, length));
      const bytes = new Uint8Array(concatenated(parts).buffer);
      expect({ lengths, hash: backend.kernels.hash(viewsOf(parts)) }).toEqual({ lengths, hash: hash128(bytes) });
    }
  });

  test("findNonFinite names the first bad element, -1 when there is none", () => {
    const values = randomValues(3, 10_000);
    const find = (own: Float32Array) => backend.kernels.findNonFinite(viewOf(backend, [own.length], own));
    expect(find(values)).toBe(-1);
    expect(find(new Float32Array(0))).toBe(-1);
    for (const at of [0, 1, 15, 16, 4_095, 4_096, 9_999]) {
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        const own = values.slice();
        own[at] = bad;
        own[9_999] = bad;
        expect(find(own)).toBe(at);
      }
    }
    expect(find(Float32Array.of(3.4028234663852886e38, -3.4028234663852886e38, 1e-45))).toBe(-1);
  });

  test("addInto adds, also onto one of its operands, and writes nothing behind the output", () => {
    for (const length of [1, 3, 4, 17, 4_096, 4_099, 10_000]) {
      const [a, b] = [randomValues(1, length), randomValues(2, length)];
      const expected = Float32Array.from(a, (x, i) => x + (b[i] ?? 0));
      const left = viewOf(backend, [length], a, { offset: 1, tail: 3 });
      const right = viewOf(backend, [length], b);
      backend.kernels.addInto(left, right, left);
      expect(bitsOf(valuesOf(backend, left))).toEqual(bitsOf(expected));
      expect(bitsOf(valuesOf(backend, right))).toEqual(bitsOf(b));
      expect(Array.from(behind(backend, left))).toEqual([77, 77, 77]);
    }
  });
});

describe("vectorOps", () => {
  test("give what the backend's kernels give, on nothing but the memory", () => {
    const backend = createCpuBackend({ memory: createCpuMemory({ shared: true }) });
    const ops = createVectorOps(backend.wasmMemory);
    for (const length of [0, 1, 5, 64, 4_099]) {
      const [a, b] = [randomValues(1, length), randomValues(2, length)];
      const [left, right] = [viewOf(backend, [length], a), viewOf(backend, [length], b)];
      const out = viewOf(backend, [length], undefined, { tail: 3 });
      const range = (view: typeof out) => new Float32Array(backend.wasmMemory.buffer, backend.addressOf(view), length);
      expect(ops.hash(range(left))).toBe(backend.kernels.hash([left]));
      ops.add(range(out), range(left), range(right));
      expect(bitsOf(valuesOf(backend, out))).toEqual(bitsOf(Float32Array.from(a, (x, i) => x + (b[i] ?? 0))));
      ops.divide(range(out), range(left), 3.3);
      expect(bitsOf(valuesOf(backend, out))).toEqual(bitsOf(Float32Array.from(a, (x) => x / Math.fround(3.3))));
      expect(Array.from(behind(backend, out))).toEqual([77, 77, 77]);
      expect(ops.findNonFinite(range(left))).toBe(-1);
    }
  });

  test("sum squares in f64 over four lanes, and say by it whether every value is finite", () => {
    const backend = createCpuBackend();
    const ops = createVectorOps(backend.wasmMemory);
    for (const length of [0, 1, 2, 3, 4, 7, 64, 4_099]) {
      const values = Float32Array.from(randomValues(length, length), (x, i) => x * 10 ** (i % 9));
      const view = viewOf(backend, [length], values, { tail: 3 }); // what lies behind is not zero
      const range = new Float32Array(backend.wasmMemory.buffer, backend.addressOf(view), length);
      const lanes = [0, 0, 0, 0];
      for (const [i, x] of values.entries()) lanes[i % 4]! += x * x;
      expect(ops.sumSquares(range)).toBe(lanes[0]! + lanes[2]! + (lanes[1]! + lanes[3]!));
      for (const [i, bad] of [Number.NaN, Infinity, -Infinity].entries()) {
        if (length === 0) continue;
        range[(i * 31) % length] = bad;
        expect(ops.sumSquares(range)).not.toSatisfy(Number.isFinite);
        range.set(values);
      }
      expect(ops.sumSquares(range.fill(-3.4028234663852886e38))).toSatisfy(Number.isFinite);
    }
  });

  test("refuse a vector of another memory and vectors of unequal lengths", () => {
    const backend = createCpuBackend();
    const ops = createVectorOps(backend.wasmMemory);
    expect(() => ops.hash(new Float32Array(3))).toThrow(/another memory/);
    const own = (length: number) => new Float32Array(backend.wasmMemory.buffer, 300_000, length);
    expect(() => ops.add(own(3), own(4), own(3))).toThrow(/one length/);
  });
});
