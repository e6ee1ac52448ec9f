import { describe, expect, test } from "vitest";
import type { DTypeArray } from "../../tensor/dtype.js";
import { gatherRoom } from "./gather.js";
import { expectSameBits, hashOf, randomFloats } from "./measure.testkit.js";
import { createSoloHost } from "./solo-host.testkit.js";

const host = createSoloHost(gatherRoom.kernels, "strict");
const kernels = gatherRoom.rows(host);

const cases = [
  { outer: 1, axisLength: 10, inner: 1, indexLength: 30 },
  { outer: 6, axisLength: 5, inner: 1, indexLength: 3 },
  { outer: 2, axisLength: 7, inner: 9, indexLength: 11 },
  { outer: 1, axisLength: 1, inner: 1, indexLength: 1 },
  { outer: 3, axisLength: 4, inner: 2, indexLength: 0 },
  { outer: 0, axisLength: 4, inner: 2, indexLength: 3 },
].flatMap((axisView) => (["f32", "i32"] as const).map((dtype) => ({ ...axisView, dtype })));
type Case = (typeof cases)[number];

function valuesOf(c: Case, length: number): DTypeArray {
  const floats = randomFloats(length, 7);
  return c.dtype === "f32" ? floats : Int32Array.from(floats, (v) => Math.round(v * 1e6));
}

function run(c: Case): {
  gathered: DTypeArray;
  scattered: DTypeArray;
  x: DTypeArray;
  src: DTypeArray;
  index: Int32Array;
} {
  host.reset();
  const small = c.outer * c.indexLength * c.inner;
  const large = c.outer * c.axisLength * c.inner;
  const index = Int32Array.from({ length: small }, (_, i) => (i * i * 5 + i) % c.axisLength);
  const [x, src] = [valuesOf(c, large), valuesOf(c, small)];
  const indexView = host.put(index);
  const out = host.put(c.dtype === "f32" ? new Float32Array(small).fill(7) : new Int32Array(small).fill(7));
  const sums = host.put(c.dtype === "f32" ? new Float32Array(large).fill(7) : new Int32Array(large).fill(7));
  kernels.gather(host.put(x), indexView, c, out);
  kernels.scatterAdd(indexView, host.put(src), c, sums);
  return { gathered: host.get(out), scattered: host.get(sums), x, src, index };
}

/** Position along the axis of x for each element of the index. */
function positions(c: Case, index: Int32Array): number[] {
  return Array.from(index, (k, at) => {
    const o = Math.floor(at / (c.indexLength * c.inner));
    return (o * c.axisLength + k) * c.inner + (at % c.inner);
  });
}

describe("gather and scatterAdd", () => {
  test.each(cases)("gather takes the elements that the index names: %o", (c) => {
    const { gathered, x, index } = run(c);
    expect([...gathered]).toEqual(positions(c, index).map((at) => x[at]));
  });

  test.each(cases)("scatterAdd adds over ascending j from zero: %o", (c) => {
    const { scattered, src, index, x } = run(c);
    const expected = c.dtype === "f32" ? new Float32Array(x.length) : new Int32Array(x.length);
    positions(c, index).forEach((at, i) => {
      expected[at]! += src[i]!;
    });
    expectSameBits(scattered, expected);
  });

  test("keep their bits when the items are split, and their committed bits", () => {
    const c: Case = { outer: 3, axisLength: 7, inner: 13, indexLength: 40, dtype: "f32" };
    const whole = run(c);
    for (const parts of [2, 3, 5, 8]) {
      host.splitInto(parts);
      expectSameBits(run(c).gathered, whole.gathered);
      expectSameBits(run(c).scattered, whole.scattered);
    }
    host.splitInto(1);
    // A change of these is a change of numericsVersion.
    expect(`${hashOf(whole.gathered)} ${hashOf(whole.scattered)}`).toMatchInlineSnapshot(
      `"7e2f9aaf311762ab ca0e2134214e5383"`,
    );
  });
});
