/** @file What a training loop asks of whole tensors, on the device: many updates in few launches, clipping, hashes, the first bad element. */
import {
  createCpuBackend,
  findNonFiniteAsync,
  hash128,
  hashAsync,
  nn,
  optim,
  stateHash,
  stateHashAsync,
  type Tensor,
  type TensorView,
  tensor,
  withBackend,
} from "@lockstep/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { randomFloats, randomIntegers, viewOf } from "./kernels/kernel-run.testkit.js";
import { createTestBackend, describeGpu } from "./testing.testkit.js";
import type { WebGpuBackend } from "./webgpu-backend.js";

const cpu = createCpuBackend();
/** One element, odd ones, whole blocks, one more than a block. */
const sizes = [1, 5, 255, 256, 1_024, 4_097, 33, 2_048, 7, 1_023, 640, 4_096, 12, 900, 3];

function parametersOf(backend: WebGpuBackend | typeof cpu): Tensor[] {
  return sizes.map((size, i) =>
    withBackend(backend, () => {
      const parameter = new nn.Parameter(tensor(randomFloats(size, i + 1)));
      parameter.grad = tensor(randomFloats(size, i + 100));
      return parameter;
    }),
  );
}

const optimizers: Readonly<Record<string, (parameters: Tensor[]) => optim.Optimizer>> = {
  AdamW: (parameters) => new optim.AdamW(parameters, { learningRate: 0.01 }),
  "AdamW in groups": (parameters) =>
    new optim.AdamW(
      [
        { parameters: parameters.slice(0, 6), weightDecay: 0 },
        { parameters: parameters.slice(6), learningRateScale: 0.5 },
      ],
      { learningRate: 0.01 },
    ),
  "Sgd with momentum": (parameters) => new optim.Sgd(parameters, { learningRate: 0.01, momentum: 0.9 }),
  Adagrad: (parameters) => new optim.Adagrad(parameters, { learningRate: 0.01, initialAccumulator: 0.5 }),
};

describeGpu("whole tensors on WebGPU", () => {
  let backend: WebGpuBackend;
  let oneByOne: WebGpuBackend;
  beforeAll(async () => {
    [backend, oneByOne] = [await createTestBackend(), await createTestBackend()];
    Object.defineProperty(oneByOne, "elementwiseRuns", { value: undefined });
  });
  afterAll(() => {
    for (const made of [backend, oneByOne]) made.dispose();
  });

  test.each(Object.keys(optimizers))(
    "%s moves many parameters in few launches, to the bits of one launch each",
    async (name) => {
      const moved = async (on: WebGpuBackend) => {
        const parameters = parametersOf(on);
        const optimizer = optimizers[name]!(parameters);
        const before = on.figures().numLaunches;
        for (let step = 0; step < 3; step++) optimizer.step();
        const launches = (on.figures().numLaunches - before) / 3;
        const state = [...optimizer.namedState()].map(([, values]) => values);
        const numbers = await Promise.all([...parameters, ...state].map((values) => values.data()));
        return { launches, numbers };
      };
      const [together, apart] = [await moved(backend), await moved(oneByOne)];
      expect(together.numbers).toEqual(apart.numbers);
      expect(apart.launches).toBe(sizes.length);
      expect(together.launches).toBeLessThanOrEqual(name === "AdamW in groups" ? 5 : 4);
    },
  );

  test("state of an optimizer shares memory, and all of it is given back", async () => {
    const fresh = await createTestBackend();
    const layer = withBackend(fresh, () => new nn.Linear(16, 16));
    const { numBuffers, usedBytes } = fresh.memory();
    const optimizer = new optim.AdamW(layer.parameters());
    expect(fresh.memory()).toMatchObject({ numBuffers: numBuffers + 1, usedBytes: usedBytes + 2 * 4 * (256 + 16) });
    optimizer.dispose();
    expect(fresh.memory()).toMatchObject({ numBuffers, usedBytes });
    fresh.dispose();
  });

  describe("clipGradNormAsync", () => {
    const clipped = async (values: readonly Float32Array[], maxNorm: number) => {
      const parameters = values.map((value) => {
        const parameter = withBackend(backend, () => new nn.Parameter(tensor(new Float32Array(value.length))));
        parameter.grad = withBackend(backend, () => tensor(value));
        return parameter;
      });
      const norm = optim.clipGradNormAsync(parameters, maxNorm);
      // What is read was launched after the scaling, which nobody waited for.
      const gradients = await Promise.all(parameters.map(({ grad }) => grad!.data()));
      return { norm: await norm, gradients };
    };
    const exactNorm = (values: readonly Float32Array[]) =>
      Math.sqrt(values.reduce((sum, list) => list.reduce((own, x) => own + x * x, sum), 0));

    test("scales gradients of many sizes to the norm", async () => {
      const values = sizes.map((size, i) => randomFloats(size, i + 1).map((x) => 3 * x));
      const expected = exactNorm(values);
      const { norm, gradients } = await clipped(values, 1);
      expect(Math.abs(norm / expected - 1)).toBeLessThan(1e-6);
      for (const [i, gradient] of gradients.entries()) {
        for (const [k, value] of gradient.entries()) {
          expect(Math.abs(value - values[i]![k]! / expected)).toBeLessThan(1e-6 / expected);
        }
      }
    });

    test("leaves every bit where the norm is small enough, and where it only measures", async () => {
      const values = [randomFloats(300, 1), randomFloats(5_000, 2)];
      for (const limit of [1_000, Number.POSITIVE_INFINITY]) {
        const { norm, gradients } = await clipped(values, limit);
        expect(Math.abs(norm / exactNorm(values) - 1)).toBeLessThan(1e-6);
        expect(gradients).toEqual(values);
      }
    });

    test("takes elements whose squares overflow or vanish in f32", async () => {
      const large = [randomFloats(100, 1).map((x) => x * 1e30), randomFloats(50, 2)];
      const expected = exactNorm(large);
      const { norm, gradients } = await clipped(large, 3);
      expect(Math.abs(norm / expected - 1)).toBeLessThan(1e-6);
      for (const [k, value] of gradients[0]!.entries()) {
        expect(Math.abs(value - (large[0]![k]! / expected) * 3)).toBeLessThan(1e-6);
      }
      const small = [randomFloats(5_000, 1).map((x) => x * 1e-30)];
      const found = await clipped(small, 1);
      expect(Math.abs(found.norm / exactNorm(small) - 1)).toBeLessThan(1e-6);
      expect(found.gradients).toEqual(small);
    });

    test("a gradient that is not finite has a norm that says so", async () => {
      expect((await clipped([Float32Array.of(1, Number.NaN)], 1)).norm).toBeNaN();
      expect((await clipped([Float32Array.of(1, Number.POSITIVE_INFINITY)], 1)).norm).toBe(Number.POSITIVE_INFINITY);
    });

    test("is clipGradNorm on a CPU, and refuses a norm that is not above 0", async () => {
      const [one, two] = [parametersOf(cpu), parametersOf(cpu)];
      expect(await optim.clipGradNormAsync(one, 0.5)).toBe(optim.clipGradNorm(two, 0.5));
      expect(one.map(({ grad }) => [...grad!.dataSync()])).toEqual(two.map(({ grad }) => [...grad!.dataSync()]));
      await expect(optim.clipGradNormAsync(one, 0)).rejects.toMatchObject({ code: "E_VALUE" });
      expect(await optim.clipGradNormAsync([], 1)).toBe(0);
    });
  });

  describe("hashAsync", () => {
    const bytesOf = (words: Int32Array) => new Uint8Array(words.buffer, words.byteOffset, words.byteLength);

    test.each([
      [[]],
      [[0]],
      [[1]],
      [[15]],
      [[16]],
      [[17]],
      [[3, 0, 13, 16, 1]],
      [[127, 1, 128, 129, 2_000]],
      [Array.from({ length: 40 }, (_, i) => 3 * i + 1)],
    ])("of tensors of %j words is the CPU's", async (lengths) => {
      const words = lengths.map((length, i) => randomIntegers(length, 4_294_967_296, i + 5));
      const views = words.map((list) => viewOf(backend, [list.length], list));
      expect(await hashAsync(backend, views)).toBe(hash128(...words.map(bytesOf)));
      expect(
        await hashAsync(
          cpu,
          words.map((list) => viewOf(cpu, [list.length], list)),
        ),
      ).toBe(await hashAsync(backend, views));
    });

    test("keeps the bits of what no number stands for, and goes on from launch to launch", async () => {
      const words = randomIntegers(2 ** 24 + 37, 4_294_967_296, 3);
      words.set([0x7fc00001, 0x7f800001, -1, -2147483648], 7); // NaNs with payloads, -0
      const view: TensorView = { ...viewOf(backend, [words.length], words), dtype: "f32" };
      const part = { ...view, offset: 5, shape: [words.length - 5] };
      expect(await hashAsync(backend, [part, part])).toBe(hash128(bytesOf(words.slice(5)), bytesOf(words.slice(5))));
      backend.free(view.buffer);
    });

    test("of many blocks at once, and of whole states, is the CPU's", async () => {
      const words = [0, 5, 64, 65, 1_000].map((length, i) => randomIntegers(length, 4_294_967_296, i + 1));
      const [views, onCpu] = [backend, cpu].map((on) => words.map((list) => viewOf(on, [list.length], list)));
      const blocks = words.flatMap((list) =>
        Array.from({ length: Math.ceil(list.length / 64) }, (_, i) => list.slice(64 * i, 64 * (i + 1))),
      );
      const before = backend.figures().numLaunches;
      const found = backend.late.hashBlocks(views!, 64);
      expect(backend.figures().numLaunches).toBe(before + 1);
      expect(await found).toEqual(blocks.map((block) => hash128(bytesOf(block))));
      const state = (tensors: readonly TensorView[]) => {
        return { parameters: tensors.slice(0, 3), buffers: [], optimizer: tensors.slice(3), counters: "step 3" };
      };
      expect(await stateHashAsync(backend, state(views!))).toBe(stateHash(cpu, state(onCpu!)));
    });

    test("is of the state at the call", async () => {
      const view = viewOf(backend, [3], Int32Array.of(1, 2, 3));
      const before = hashAsync(backend, [view]);
      backend.write(view.buffer, 0, Int32Array.of(9));
      expect(await before).toBe(hash128(bytesOf(Int32Array.of(1, 2, 3))));
    });
  });

  test.each([
    [[], -1],
    [[99_999], 99_999],
    [[70_000, 3, 500], 3],
  ])("the first element that is not finite is found (%j)", async (bad, first) => {
    const values = randomFloats(100_000, 1);
    for (const [i, at] of bad.entries())
      values[at] = [Number.NaN, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY][i]!;
    expect(await findNonFiniteAsync(backend, viewOf(backend, [values.length], values))).toBe(first);
  });

  test("Muon, whose matrices are scaled to norm 1, moves as on the CPU", async () => {
    const moved = async (on: WebGpuBackend | typeof cpu) => {
      const parameters = [[8, 12], [20, 4], [7]].map((shape, i) => {
        const size = shape.reduce((a, b) => a * b);
        const parameter = withBackend(on, () => new nn.Parameter(tensor(randomFloats(size, i + 1), { shape })));
        parameter.grad = withBackend(on, () => tensor(randomFloats(size, i + 9), { shape }));
        return parameter;
      });
      const optimizer = new optim.Muon(parameters);
      for (let step = 0; step < 3; step++) optimizer.step();
      return Promise.all(parameters.map((parameter) => parameter.data()));
    };
    const [expected, found] = [await moved(cpu), await moved(backend)];
    for (const [i, list] of found.entries()) {
      for (const [k, value] of list.entries()) expect(Math.abs(value - expected[i]![k]!)).toBeLessThan(2e-5);
    }
  });
});
