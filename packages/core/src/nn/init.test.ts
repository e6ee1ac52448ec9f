import { describe, expect, test } from "vitest";
import { createCpuBackend } from "../cpu/cpu-backend.js";
import { seedScope } from "../rng/current-generator.js";
import { Generator } from "../rng/generator.js";
import { Tensor } from "../tensor/tensor.js";
import * as init from "./init.js";

const backend = createCpuBackend();
const zerosOf = (shape: readonly number[]): Tensor => {
  const t = Tensor.allocate(backend, shape, "f32");
  backend.write(t.buffer, 0, new Float32Array(t.size).fill(9));
  return t;
};

function statistics(values: ArrayLike<number>) {
  const list = Array.from(values);
  const mean = list.reduce((sum, x) => sum + x, 0) / list.length;
  const variance = list.reduce((sum, x) => sum + (x - mean) ** 2, 0) / list.length;
  return { mean, std: Math.sqrt(variance), max: Math.max(...list.map(Math.abs)) };
}

/** Uniform numbers in +-bound have std bound / sqrt(3). */
const spread: Readonly<Record<string, { fill: (t: Tensor, g: Generator) => void; std: number; bound?: number }>> = {
  "xavierUniform, gain 2": {
    fill: (t, generator) => init.xavierUniform(t, { gain: 2, generator }),
    std: 2 * Math.sqrt(2 / (270 + 360)),
    bound: 2 * Math.sqrt(6 / (270 + 360)),
  },
  xavierNormal: { fill: (t, generator) => init.xavierNormal(t, { generator }), std: Math.sqrt(2 / (270 + 360)) },
  "kaimingUniform before relu": {
    fill: (t, generator) => init.kaimingUniform(t, { nonlinearity: "relu", generator }),
    std: Math.sqrt(2 / 270),
    bound: Math.sqrt(6 / 270),
  },
  "kaimingUniform as Linear's, slope sqrt(5)": {
    fill: (t, generator) => init.kaimingUniform(t, { negativeSlope: Math.sqrt(5), generator }),
    std: Math.sqrt(1 / 3 / 270),
    bound: Math.sqrt(1 / 270),
  },
  "kaimingNormal by fan-out before tanh": {
    fill: (t, generator) => init.kaimingNormal(t, { mode: "fanOut", nonlinearity: "tanh", generator }),
    std: 5 / 3 / Math.sqrt(360),
  },
  // The variance of a standard normal number between -2 and 2.
  truncatedNormal: { fill: (t, generator) => init.truncatedNormal(t, { generator }), std: 0.87962566, bound: 2 },
};

describe("initial weights", () => {
  test.each(Object.keys(spread))("%s have the variance and the bounds they should", (name) => {
    const { fill, std, bound } = spread[name]!;
    const weight = zerosOf([40, 30, 3, 3]);
    fill(weight, new Generator(5));
    const found = statistics(weight.dataSync());
    // 10,800 numbers: three standard errors.
    expect(Math.abs(found.mean)).toBeLessThan((3 * std) / Math.sqrt(10_800));
    expect(Math.abs(found.std / std - 1)).toBeLessThan(0.025);
    if (bound === undefined) return;
    expect(found.max).toBeLessThanOrEqual(bound * (1 + 1e-7));
    expect(found.max).toBeGreaterThan(0.998 * bound);
  });

  test.each([
    [6, 6],
    [5, 12],
    [12, 5],
  ])("orthogonal [%i, %i] has orthonormal lines times gain", (rows, columns) => {
    const weight = zerosOf([rows, columns]);
    init.orthogonal(weight, { gain: 1.5, generator: new Generator(3) });
    const data = weight.dataSync();
    const at = (i: number, k: number) => (rows <= columns ? data[i * columns + k]! : data[k * columns + i]!);
    for (let i = 0; i < Math.min(rows, columns); i++) {
      for (let j = 0; j <= i; j++) {
        let product = 0;
        for (let k = 0; k < Math.max(rows, columns); k++) product += at(i, k) * at(j, k);
        expect(product).toBeCloseTo(i === j ? 2.25 : 0, 6);
      }
    }
  });

  test("eye and dirac hand their input on", () => {
    const matrix = zerosOf([2, 3]);
    init.eye(matrix);
    expect([...matrix.dataSync()]).toEqual([1, 0, 0, 0, 1, 0]);
    const kernel = zerosOf([4, 1, 3]);
    init.dirac(kernel, { groups: 2 });
    expect([...kernel.dataSync()]).toEqual([0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
  });

  test("sparse has its share of zeros in each column", () => {
    const weight = zerosOf([10, 4]);
    init.sparse(weight, { sparsity: 0.25, std: 1, generator: new Generator(1) });
    const data = weight.dataSync();
    for (let column = 0; column < 4; column++) {
      const own = Array.from({ length: 10 }, (_, row) => data[row * 4 + column]!);
      expect(own.filter((x) => x === 0).length).toBe(3);
    }
  });

  test("numbers are the same from a generator and from the current one, and have fixed bits", () => {
    const fills: Readonly<Record<string, (t: Tensor, generator?: Generator) => void>> = {
      xavierUniform: (t, generator) => init.xavierUniform(t, generator && { generator }),
      kaimingNormal: (t, generator) => init.kaimingNormal(t, generator && { generator }),
      truncatedNormal: (t, generator) => init.truncatedNormal(t, generator && { generator }),
      orthogonal: (t, generator) => init.orthogonal(t, generator && { generator }),
    };
    const found = Object.entries(fills).map(([name, fill]) => {
      const [a, b] = [zerosOf([2, 2]), zerosOf([2, 2])];
      fill(a, new Generator(11));
      seedScope(11, () => fill(b));
      expect([...b.dataSync()]).toEqual([...a.dataSync()]);
      return [name, ...new Uint32Array(a.dataSync().slice().buffer)];
    });
    expect(found).toMatchInlineSnapshot(`
      [
        [
          "xavierUniform",
          3187314321,
          1049351203,
          1049015270,
          3204952592,
        ],
        [
          "kaimingNormal",
          3212267199,
          3209725941,
          3193326294,
          1064956955,
        ],
        [
          "truncatedNormal",
          3212267199,
          3193326294,
          3218252897,
          3210794539,
        ],
        [
          "orthogonal",
          3212456550,
          3193490367,
          1046006719,
          3212456550,
        ],
      ]
    `);
  });

  test.each<[string, () => void]>([
    [
      "init: the tensor has shape [3]; it must have two or more dims, [out, in, ...kernel]. Use normal or uniform.",
      () => init.xavierNormal(zerosOf([3])),
    ],
    ["orthogonal: the tensor has shape [3]; it must have two or more dims.", () => init.orthogonal(zerosOf([3]))],
    ["eye: the tensor has shape [1,1,1]; it must have two dims.", () => init.eye(zerosOf([1, 1, 1]))],
    ["dirac: the tensor has shape [1,1]; it must have three to five dims.", () => init.dirac(zerosOf([1, 1]))],
    [
      "dirac: groups is 2 for 3 output channels; it must divide them.",
      () => init.dirac(zerosOf([3, 1, 1]), { groups: 2 }),
    ],
    ["sparse: sparsity is 2; it must be in [0, 1].", () => init.sparse(zerosOf([1, 1]), { sparsity: 2 })],
    [
      'init: mode is "fan"; it must be "fanIn" or "fanOut".',
      () => init.kaimingNormal(zerosOf([1, 1]), { mode: "fan" as never }),
    ],
    [
      'init: nonlinearity is "gelu"; it must be one of linear, sigmoid, tanh, relu, leakyRelu, selu. Use "linear" and a gain of your own.',
      () => init.kaimingNormal(zerosOf([1, 1]), { nonlinearity: "gelu" as never }),
    ],
    [
      "truncatedNormal: std is 0, low -2 and high 2; std must be above 0 and low below high.",
      () => init.truncatedNormal(zerosOf([1]), { std: 0 }),
    ],
    [
      "truncatedNormal: fewer than one in a hundred numbers of mean 0 and std 1 lies in [9, 10]; more must. Move the bounds or the mean.",
      () => init.truncatedNormal(zerosOf([1]), { low: 9, high: 10 }),
    ],
  ])("%s", (message, make) => {
    expect(make).toThrow(expect.objectContaining({ message }));
  });
});
