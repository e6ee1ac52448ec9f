/** @file Reductions within subgroups beside those in workgroup memory: bit by bit. */
import type { TensorView } from "@lockstep/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkSubgroups, expectedWords } from "../device/check-subgroups.js";
import { openDevice } from "../device/open-device.js";
import { createTestBackend, describeGpu, testGpu } from "../testing.testkit.js";
import type { WebGpuBackend } from "../webgpu-backend.js";
import { randomFloats, randomIntegers, viewOf } from "./kernel-run.testkit.js";

/** One lane, 8, 32 and 256 of them, full and not. */
const lengths = [3, 7, 64, 65, 300, 1_029, 20_003];
const numRows = 5;

/** Zeros of both signs are the largest of a row, and one row has a NaN. */
function valuesOf(length: number, seed: number): Float32Array {
  const values = randomFloats(numRows * length, seed);
  for (let c = 0; c < length; c++) values[2 * length + c] = c % 3 === 0 ? -0 : c % 3 === 1 ? 0 : -1;
  values[4 * length + (length >> 1)] = Number.NaN;
  return values;
}

/** The words of every reduction of rows of this length. */
async function wordsOf(backend: WebGpuBackend, length: number): Promise<Int32Array[]> {
  const view = (contents: Float32Array | Int32Array | "f32" | "i32", ...shape: number[]): TensorView =>
    viewOf(backend, shape.length === 0 ? [numRows, length] : shape, contents);
  const outputs: TensorView[] = [];
  const output = (...shape: number[]): TensorView => {
    const made = view("f32", ...shape);
    outputs.push(made);
    return made;
  };
  const [x, y] = [view(valuesOf(length, 1)), view(valuesOf(length, 2))];
  const { kernels } = backend;
  const axis = { outer: numRows, axisLength: length, inner: 1 };
  for (const kind of ["sum", "max", "min"] as const) kernels.reduce(kind, x, axis, output(numRows));
  const integers = view(randomIntegers(numRows * length, 1_000, 3));
  for (const kind of ["sum", "max", "min", "prod"] as const) {
    const out = view("i32", numRows);
    kernels.reduceIntegers(kind, integers, axis, out);
    outputs.push(out);
  }
  kernels.softmax(x, output());
  kernels.logSoftmax(x, output());
  kernels.softmaxBackward(x, y, output());
  kernels.logSoftmaxBackward(x, y, output());
  const [mean, rstd, weight, bias] = [output(numRows), output(numRows), output(length), output(length)];
  kernels.layerNorm(x, view(randomFloats(length, 4), length), view(randomFloats(length, 5), length), 1e-5, {
    out: output(),
    mean,
    rstd,
  });
  const inputs = { dOut: y, x, weight: view(randomFloats(length, 4), length), mean, rstd };
  kernels.layerNormBackward(inputs, output(), weight, bias);
  const targets = view(randomIntegers(numRows, length, 6), numRows);
  kernels.crossEntropy(x, targets, -100, { loss: output(numRows), lse: output(numRows) });
  const words = outputs.map(async (out) => Int32Array.from(wordsIn((await backend.read(out)) as Float32Array)));
  return Promise.all(words);
}

/** Bits, all NaNs as one. */
function wordsIn(values: Float32Array | Int32Array): Int32Array {
  if (values instanceof Int32Array) return values;
  const canonical = values.map((value) => (Number.isNaN(value) ? Number.NaN : value));
  return new Int32Array(canonical.buffer);
}

describeGpu("subgroups on WebGPU", () => {
  let [withThem, without]: WebGpuBackend[] = [];
  beforeAll(async () => {
    withThem = await createTestBackend();
    without = await createTestBackend({ withoutFeatures: ["subgroups"] });
  });
  afterAll(() => {
    withThem?.dispose();
    without?.dispose();
  });

  test.each(lengths)("rows of %i come to the same bits with and without", async (length) => {
    const expected = await wordsOf(without!, length);
    const { subgroupSize } = withThem!.choices;
    for (const size of new Set([subgroupSize, Math.min(4, subgroupSize)])) {
      withThem!.choose({ subgroupSize: size });
      expect(await wordsOf(withThem!, length)).toEqual(expected);
    }
    withThem!.choose({ subgroupSize });
  });

  test("are used where the device shows that neighbours lie in one", () => {
    expect(without!.choices.subgroupSize).toBe(0);
    const isThere = withThem!.features.has("subgroups");
    expect(withThem!.choices.subgroupSize > 0).toBe(isThere);
  });

  test("of every size there is make kernels that compile", async () => {
    if (!withThem!.features.has("subgroups")) return;
    const backend = await createTestBackend();
    const x = viewOf(backend, [2, 300], randomFloats(600, 1));
    for (const subgroupSize of [4, 16, 32, 64, 128, 256]) {
      backend.choose({ subgroupSize });
      backend.kernels.softmax(x, viewOf(backend, [2, 300], "f32"));
      backend.kernels.reduce("max", x, { outer: 2, axisLength: 300, inner: 1 }, viewOf(backend, [2], "f32"));
    }
    await backend.finish();
    expect(backend.figures().numPipelines).toBe(12);
    backend.dispose();
  });

  test("are not counted on where the check gives other words, or no size; a line says so", async () => {
    const opened = await openDevice(testGpu(), { allowSoftware: true });
    if (!opened.features.has("subgroups")) return;
    const sized = (subgroupMinSize: number) => {
      const device = new Proxy(opened.device, {
        get: (target, name) => {
          if (name === "adapterInfo") return { subgroupMinSize };
          const value = Reflect.get(target, name, target) as unknown;
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
      return checkSubgroups({ ...opened, device });
    };
    expect(await checkSubgroups(opened)).toEqual({ size: opened.device.adapterInfo.subgroupMinSize });
    // Both software drivers have subgroups of at most 16: at 64 the check must see that invocations lie apart.
    expect(await sized(64)).toMatchObject({ size: 0, reason: expect.stringMatching(/in groups of 64, invocation 0/) });
    for (const least of [0, 2, 12]) {
      expect(await sized(least)).toMatchObject({ size: 0, reason: expect.stringContaining(`names is ${least}.`) });
    }
    opened.device.destroy();
  });
});

test("the check's words tell every distance of every invocation apart", () => {
  expect([...expectedWords(4).subarray(0, 3)]).toEqual([1 * 257 + 2, 0 * 257 + 3, 3 * 257 + 0]);
  expect(new Set(expectedWords(256).subarray(0, 256)).size).toBe(256);
});
