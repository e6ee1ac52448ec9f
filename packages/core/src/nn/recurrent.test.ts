/** Legend: T steps, B sequences, C input size, H hidden size. */
import { describe, expect, test } from "vitest";
import { microBatchScope } from "../autograd/micro-batch-scope.js";
import "../ops/tensor-methods.js";
import { Generator, seedScope } from "../rng/index.js";
import { tensor } from "../tensor/create.js";
import type { Tensor } from "../tensor/tensor.js";
import * as nn from "./index.js";

const [T, B, C, H] = [5, 3, 4, 6];
const layers = { Rnn: nn.Rnn, Lstm: nn.Lstm, Gru: nn.Gru } as const;
type Name = keyof typeof layers;
const names = Object.keys(layers) as Name[];

function random(shape: readonly number[], seed = 5): Tensor {
  const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
  new Generator(seed).fillNormal(values);
  return tensor(values, { shape });
}
const create = (name: Name, options: nn.RecurrentOptions = {}) =>
  seedScope(2, () => new layers[name](C, H, { batchFirst: true, ...options }));
const bits = (x: Tensor): number[] => [...x.dataSync()];

describe.each(names)("%s", (name) => {
  test("the steps after a sequence's end change nothing, in either direction, not even NaN", () => {
    const layer = create(name, { numLayers: 2, bidirectional: true });
    const x = random([B, T, C]);
    const lengths = [2, 5, 3];
    const dirty = x.dataSync().slice() as Float32Array;
    for (const [b, length] of lengths.entries()) dirty.fill(Number.NaN, (b * T + length) * C, (b + 1) * T * C);
    const clean = layer.forward(x, { lengths });
    const other = layer.forward(tensor(dirty, { shape: x.shape }), { lengths });
    expect(bits(other.output)).toEqual(bits(clean.output));
    expect(bits(other.hn)).toEqual(bits(clean.hn));
    expect(bits(clean.output).every(Number.isFinite)).toBe(true);
  });

  test("a sequence gives the same alone, without padding", () => {
    const layer = create(name, { numLayers: 2, bidirectional: true });
    const x = random([B, T, C]);
    const { output, hn } = layer.forward(x, { lengths: [2, 5, 3] });
    const alone = layer.forward(x.narrow(0, 2, 1).narrow(1, 0, 3));
    expect(bits(output.narrow(0, 2, 1).narrow(1, 0, 3))).toEqual(bits(alone.output));
    expect(bits(hn.narrow(1, 2, 1))).toEqual(bits(alone.hn));
    expect(new Set(bits(output.narrow(0, 2, 1).narrow(1, 3, 2)))).toEqual(new Set([0]));
  });

  test("padding gets no gradient", () => {
    const layer = create(name, { bidirectional: true });
    const x = random([B, T, C]);
    x.requiresGrad = true;
    layer
      .forward(x, { lengths: [2, 5, 3] })
      .output.square()
      .sum()
      .backward();
    const isZero = Array.from({ length: B * T }, (_, step) =>
      x
        .grad!.dataSync()
        .subarray(step * C, (step + 1) * C)
        .every((value) => value === 0),
    );
    expect(isZero.map((zero) => (zero ? "." : "x")).join("")).toBe("xx...xxxxxxxx..");
  });

  test("steps one by one, state handed on, give what the whole sequence gives", () => {
    const layer = create(name, { numLayers: 2 });
    const x = random([B, T, C]);
    const whole = layer.forward(x) as nn.RecurrentResult & { cn?: Tensor };
    let states: { h0?: Tensor; c0?: Tensor } = {};
    const outputs = Array.from({ length: T }, (_, t) => {
      const { output, hn, cn } = layer.forward(x.narrow(1, t, 1), states) as nn.RecurrentResult & { cn?: Tensor };
      states = { h0: hn, ...(cn === undefined ? {} : { c0: cn }) };
      return output;
    });
    for (const [t, output] of outputs.entries()) expect(bits(output)).toEqual(bits(whole.output.narrow(1, t, 1)));
    expect(bits(states.h0!)).toEqual(bits(whole.hn));
    if (whole.cn !== undefined) expect(bits(states.c0!)).toEqual(bits(whole.cn));
  });

  test("the second direction is the first one on the sequence from its end", () => {
    const both = create(name, { bidirectional: true });
    const back = create(name);
    back.loadStateDict(
      [...both.stateDict()]
        .filter(([key]) => key.endsWith("_reverse"))
        .map(([key, value]) => [key.slice(0, -8), value]),
    );
    const x = random([B, T, C]);
    const output = both.forward(x).output.narrow(2, H, H);
    expect(bits(output)).toEqual(bits(back.forward(x.flip(1)).output.flip(1)));
  });

  test("dropout stands between layers, in training alone, and follows the micro-batch", () => {
    const layer = create(name, { numLayers: 2, dropout: 0.5 });
    const x = random([B, T, C]);
    const run = (m: number) => microBatchScope({ seed: 1, step: 0, m }, () => bits(layer.forward(x).output));
    const [first, again, other] = [run(0), run(0), run(1)];
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
    expect(first.every((value) => value !== 0)).toBe(true); // the last layer's outputs are not dropped
    layer.eval();
    const plain = create(name, { numLayers: 2 });
    plain.loadStateDict(layer.stateDict());
    expect(run(0)).toEqual(bits(plain.forward(x).output));
  });

  test("its weights have PyTorch's names and shapes", () => {
    const gates = { Rnn: 1, Lstm: 4, Gru: 3 }[name];
    const layer = create(name, { numLayers: 2, bidirectional: true });
    const shapes = layer.namedParameters().map(([key, { shape }]) => `${key} ${shape.join("x")}`);
    expect(shapes.slice(0, 4)).toEqual([
      `weight_ih_l0 ${gates * H}x${C}`,
      `weight_hh_l0 ${gates * H}x${H}`,
      `bias_ih_l0 ${gates * H}`,
      `bias_hh_l0 ${gates * H}`,
    ]);
    expect(shapes).toContain(`weight_ih_l1_reverse ${gates * H}x${2 * H}`);
    expect(shapes).toHaveLength(16);
  });
});

test("lengths may be a list, or a tensor of either kind of numbers", () => {
  const layer = create("Gru");
  const x = random([B, T, C]);
  const results = [[2, 5, 3], Int32Array.of(2, 5, 3), tensor([2, 5, 3]), tensor([2, 5, 3], { dtype: "i32" })].map(
    (lengths) => bits(layer.forward(x, { lengths }).output),
  );
  for (const result of results.slice(1)) expect(result).toEqual(results[0]);
});

describe("a recurrent layer refuses", () => {
  const x = random([B, T, C]);
  const gru = create("Gru");
  test.each([
    {
      run: () => gru.forward(x, { lengths: [2, 6, 1] }),
      code: "E_SEQUENCE_LENGTH",
      message: "Gru: the length at position 1 is 6; it must be a whole number in 1..5, the steps of x.",
    },
    {
      run: () => gru.forward(x, { lengths: tensor([2, 3, 1.5]) }),
      code: "E_SEQUENCE_LENGTH",
      message: "Gru: the length at position 2 is 1.5; it must be a whole number in 1..5, the steps of x.",
    },
    {
      run: () => gru.forward(x, { lengths: [0, 3, 1] }),
      code: "E_SEQUENCE_LENGTH",
      message: "Gru: the length at position 0 is 0; it must be a whole number in 1..5, the steps of x.",
    },
    {
      run: () => gru.forward(x, { lengths: [2, 3] }),
      code: "E_SHAPE",
      message: "Gru: there are 2 lengths and 3 sequences; there must be one for each.",
    },
    {
      run: () => gru.forward(random([B, T, C + 1])),
      code: "E_SHAPE",
      message: "Gru: x is [3,5,5]; it must be [B,T,4] with at least one step and one sequence.",
    },
    {
      run: () => gru.forward(x, { h0: random([2, B, H]) }),
      code: "E_SHAPE",
      message: "Gru: h0 is [2,3,6]; it must be [1,3,6], layers times directions, batch and hidden size.",
    },
    {
      run: () => new nn.Lstm(C, H).forward(x.transpose(0, 1), { c0: random([1, T, H]) }),
      code: "E_SHAPE",
      message: "Lstm: c0 is [1,5,6]; it must be [1,3,6], layers times directions, batch and hidden size.",
    },
    {
      run: () => new nn.Lstm(C, H, { dropout: 1 }),
      code: "E_LAYER",
      message: "Lstm: dropout is 1; it must be in [0, 1).",
    },
    {
      run: () => new nn.Lstm(C, H, { numLayers: 0 }),
      code: "E_LAYER",
      message: "Lstm: numLayers is 0; it must be a whole number of at least 1.",
    },
    {
      run: () => new nn.Rnn(C, H, { nonlinearity: "gelu" as nn.Nonlinearity }),
      code: "E_LAYER",
      message: 'Rnn: nonlinearity is "gelu"; it must be "tanh" or "relu".',
    },
    {
      run: () => new nn.GruCell(C, H).forward(random([B, C]), random([B + 1, H])),
      code: "E_SHAPE",
      message: "GruCell: h is [4,6]; it must be [B,6], the same batch in all.",
    },
  ])("$message", ({ run, code, message }) => {
    expect(run).toThrow(expect.objectContaining({ code, message }));
  });
});
