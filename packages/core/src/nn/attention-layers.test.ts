/** Legend: B batch, T queries, S keys, C embed, H heads. */
import { describe, expect, test } from "vitest";
import { microBatchScope } from "../autograd/micro-batch-scope.js";
import "../ops/tensor-methods.js";
import { concat } from "../ops/index.js";
import { Generator, seedScope } from "../rng/index.js";
import { tensor } from "../tensor/create.js";
import type { Tensor } from "../tensor/tensor.js";
import * as nn from "./index.js";

const [B, T, S, C, numHeads] = [3, 5, 7, 12, 6];

function random(shape: readonly number[], seed = 5): Tensor {
  const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
  new Generator(seed).fillNormal(values);
  return tensor(values, { shape });
}
const attention = (options: Partial<nn.MultiheadAttentionOptions> = {}) =>
  seedScope(1, () => new nn.MultiheadAttention({ embedDim: C, numHeads, batchFirst: true, ...options }));
const worst = (a: Tensor, b: Tensor): number => Math.max(...a.sub(b).abs().dataSync());
const i32 = (rows: number[][]) => tensor(rows, { dtype: "i32" });

describe("MultiheadAttention", () => {
  const x = random([B, T, C]);
  const memory = random([B, S, C], 6);
  const padding = i32([
    [0, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 1, 1, 1, 1],
    [0, 1, 1, 1, 1, 1, 1],
  ]);

  test("hidden keys change nothing, and have weight 0; weights of a query add up to 1", () => {
    const layer = attention();
    const other = memory.dataSync().slice() as Float32Array;
    other.fill(1e3, (S + 3) * C, 2 * S * C);
    other.fill(-1e3, (2 * S + 1) * C);
    const [a, b] = [memory, tensor(other, { shape: memory.shape })].map((keys) =>
      layer.forward(x, keys, keys, { keyPaddingMask: padding, needWeights: true }),
    );
    expect([...b!.output.dataSync()]).toEqual([...a!.output.dataSync()]);
    const hidden = a!.weights!.mul(padding.cast("f32").reshape([B, 1, S]));
    expect(new Set(hidden.dataSync())).toEqual(new Set([0]));
    for (const total of a!.weights!.sum(2).dataSync()) expect(total).toBeCloseTo(1, 6);
  });

  test("isCausal, an i32 mask and an f32 mask are the same", () => {
    const layer = attention();
    const rows = Array.from({ length: T }, (_, t) => Array.from({ length: T }, (_, s) => (s > t ? 1 : 0)));
    const run = (masks: nn.AttentionMasks) => layer.forward(x, x, x, masks).output;
    const causal = run({ isCausal: true });
    expect(worst(run({ attnMask: i32(rows) }), causal)).toBeLessThan(1e-6);
    const added = tensor(rows.map((row) => row.map((hidden) => (hidden ? Number.NEGATIVE_INFINITY : 0))));
    expect(worst(run({ attnMask: added }), causal)).toBeLessThan(1e-6);
    expect(worst(run({}), causal)).toBeGreaterThan(1e-2);
  });

  test("a mask for each head hides keys from that head alone", () => {
    const layer = attention();
    const mask = new Int32Array(B * numHeads * T * S);
    for (let b = 0; b < B; b++) mask.fill(1, (b * numHeads + 2) * T * S + 1, (b * numHeads + 2) * T * S + S);
    const { weights } = layer.forward(x, memory, memory, {
      attnMask: tensor(mask, { shape: [B * numHeads, T, S] }),
      needWeights: true,
      averageAttnWeights: false,
    });
    const row = (head: number, query: number) => [...weights!.at(0, head, query).dataSync()];
    expect(row(2, 0)).toEqual([1, 0, 0, 0, 0, 0, 0]);
    expect(row(2, 1).every((weight) => weight > 0)).toBe(true);
    expect(row(1, 0).every((weight) => weight > 0)).toBe(true);
  });

  test("a query that sees nothing gives finite numbers and gradients", () => {
    const layer = attention();
    const leaf = random([B, T, C]);
    leaf.requiresGrad = true;
    const all = i32(Array.from({ length: B }, () => new Array<number>(T).fill(1)));
    const { output } = layer.forward(leaf, leaf, leaf, { keyPaddingMask: all, isCausal: true });
    output.square().sum().backward();
    expect([...output.dataSync(), ...leaf.grad!.dataSync()].every(Number.isFinite)).toBe(true);
  });

  test("grouped queries are heads whose keys and values are repeated", () => {
    const grouped = attention({ numKvHeads: 2 });
    const whole = attention();
    const D = C / numHeads;
    const repeated = (rows: Tensor) => concat([0, 0, 0, 1, 1, 1].map((group) => rows.narrow(0, group * D, D)));
    const [q, k, v] = [
      grouped.in_proj_weight!.narrow(0, 0, C),
      grouped.in_proj_weight!.narrow(0, C, 2 * D),
      grouped.in_proj_weight!.narrow(0, C + 2 * D, 2 * D),
    ];
    whole.loadStateDict({
      ...Object.fromEntries(grouped.stateDict()),
      in_proj_weight: concat([q, repeated(k), repeated(v)]),
      in_proj_bias: whole.in_proj_bias!,
    });
    expect(worst(grouped.forward(x, memory, memory).output, whole.forward(x, memory, memory).output)).toBeLessThan(
      1e-6,
    );
  });

  test("rotary positions make scores a function of distance alone, in both conventions", () => {
    for (const convention of ["halfSplit", "interleaved"] as const) {
      const rotary = new nn.RotaryEmbedding({ headDim: 8, numPositions: 32, convention });
      const [q, k] = [random([1, 8], 1), random([1, 8], 2)];
      const score = (query: number, key: number) =>
        rotary
          .forward(q, { start: query })
          .mul(rotary.forward(k, { start: key }))
          .sum()
          .itemSync();
      expect(score(9, 4)).toBeCloseTo(score(25, 20), 4);
      expect(Math.abs(score(9, 4) - score(9, 5))).toBeGreaterThan(1e-2);
    }
  });

  test("attend on projected keys and values gives what forward gives", () => {
    for (const options of [
      {},
      { numKvHeads: 2 },
      { rotary: new nn.RotaryEmbedding({ headDim: 2, numPositions: 9 }) },
    ]) {
      const layer = attention(options);
      const parts = [
        layer.projectKeyValues(memory.narrow(1, 0, 3), memory.narrow(1, 0, 3)),
        layer.projectKeyValues(memory.narrow(1, 3, 4), memory.narrow(1, 3, 4), { start: 3 }),
      ];
      const keyValues = nn.appendKeyValues(nn.appendKeyValues(undefined, parts[0]!), parts[1]!);
      const masks = { keyPaddingMask: padding };
      const expected = layer.forward(x, memory, memory, masks).output;
      expect([...layer.attend(x, keyValues, masks).output.dataSync()]).toEqual([...expected.dataSync()]);
      const last = layer.attend(x.narrow(1, 4, 1), keyValues, { ...masks, start: 4 }).output;
      expect([...last.dataSync()]).toEqual([...expected.narrow(1, 4, 1).dataSync()]);
    }
  });

  test("weights are dropped in training alone, by micro-batch", () => {
    const layer = attention({ dropout: 0.5 });
    const run = (m: number) =>
      microBatchScope({ seed: 1, step: 0, m }, () => [...layer.forward(x, memory, memory).output.dataSync()]);
    expect(run(0)).toEqual(run(0));
    expect(run(0)).not.toEqual(run(1));
    layer.eval();
    expect(run(0)).toEqual([...attention().forward(x, memory, memory).output.dataSync()]);
  });

  test.each([
    {
      run: () => new nn.MultiheadAttention({ embedDim: 10, numHeads: 4 }),
      code: "E_LAYER",
      message: "MultiheadAttention: embedDim is 10 and numHeads 4; the second must divide the first.",
    },
    {
      run: () => attention({ numKvHeads: 4 }),
      code: "E_LAYER",
      message: "MultiheadAttention: numHeads is 6 and numKvHeads 4; the second must divide the first.",
    },
    {
      run: () => attention({ rotary: new nn.RotaryEmbedding({ headDim: 4, numPositions: 8 }) }),
      code: "E_LAYER",
      message: "MultiheadAttention: rotary has headDim 4; it must be 2, embedDim / numHeads.",
    },
    {
      run: () => attention({ dropout: -0.1 }),
      code: "E_LAYER",
      message: "MultiheadAttention: dropout is -0.1; it must be in [0, 1).",
    },
    {
      run: () => attention().forward(x, memory, memory, { keyPaddingMask: padding.transpose(0, 1) }),
      code: "E_SHAPE",
      message: "MultiheadAttention: keyPaddingMask is [7,3]; it must be [3,7].",
    },
    {
      run: () => attention().forward(x, memory, memory, { attnMask: random([T, T]) }),
      code: "E_SHAPE",
      message: "MultiheadAttention: attnMask is [5,5]; it must be [5,7] or [18,5,7].",
    },
    {
      run: () => attention().forward(x, memory, x),
      code: "E_SHAPE",
      message:
        "MultiheadAttention: query is [3,5,12], key [3,7,12], value [3,5,12]; they must be [B,T,12], [B,S,12], [B,S,12].",
    },
    {
      run: () => attention().projectKeyValues(memory, x),
      code: "E_SHAPE",
      message: "MultiheadAttention: key [3,7,12], value [3,5,12]; they must be [B,S,12], [B,S,12].",
    },
    {
      run: () => attention().attend(x.narrow(0, 0, 2), attention().projectKeyValues(memory, memory)),
      code: "E_SHAPE",
      message: "MultiheadAttention: query is [2,5,12] and keys [3,6,7,2]; they must be [B,T,12] and [B,6,S,2].",
    },
    {
      run: () => new nn.SinusoidalPositions(4, 12).forward(x),
      code: "E_SHAPE",
      message:
        "SinusoidalPositions: x is [3,5,12] with start 0; positions 0..4 must be in 0..3 (numPositions). Cut the sequence or raise numPositions.",
    },
    {
      run: () => new nn.SinusoidalPositions(4, 7),
      code: "E_LAYER",
      message: "SinusoidalPositions: embedDim is 7; it must be even.",
    },
  ])("says: $message", ({ run, code, message }) => {
    expect(run).toThrow(expect.objectContaining({ code, message }));
  });
});

describe("Transformer", () => {
  const options = {
    embedDim: C,
    numHeads,
    numEncoderLayers: 1,
    numDecoderLayers: 2,
    feedforwardDim: 10,
    batchFirst: true,
  };
  const source = random([B, S, C], 6);
  const target = random([B, T, C]);
  const padding = i32([
    [0, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 1, 1, 1, 1],
    [0, 1, 1, 1, 1, 1, 1],
  ]);

  test.each([true, false])(
    "steps through cached keys and values give the whole pass; batch first: %s",
    (batchFirst) => {
      const model = seedScope(
        4,
        () => new nn.Transformer({ ...options, batchFirst, normFirst: batchFirst, dropout: 0 }),
      );
      const turned = (x: Tensor) => (batchFirst ? x : x.transpose(0, 1));
      const inputs = { target: { isCausal: true }, source: { keyPaddingMask: padding } };
      const memory = model.encoder.forward(turned(source), { keyPaddingMask: padding });
      const whole = turned(model.decoder.forward(turned(target), memory, inputs));
      let states = model.decoder.begin(memory);
      for (let t = 0; t < T; t++) {
        const next = model.decoder.step(turned(target.narrow(1, t, 1)), states, inputs.source);
        states = next.states;
        expect(worst(turned(next.output), whole.narrow(1, t, 1))).toBeLessThan(2e-6);
      }
    },
  );

  test("a source is the same with and without padding", () => {
    const model = seedScope(4, () => new nn.Transformer({ ...options, dropout: 0 }));
    const inputs = { encoder: { keyPaddingMask: padding }, source: { keyPaddingMask: padding } };
    const padded = model.forward(source, target, inputs).narrow(0, 1, 1);
    const alone = model.forward(source.narrow(0, 1, 1).narrow(1, 0, 3), target.narrow(0, 1, 1));
    expect(worst(padded, alone)).toBeLessThan(1e-6);
  });

  test("a step takes one step", () => {
    const model = new nn.Transformer(options);
    const message = "TransformerDecoderLayer: x is [3,5,12]; it must be one step, [B,1,C].";
    expect(() => model.decoder.step(target, model.decoder.begin(source))).toThrow(
      expect.objectContaining({ code: "E_SHAPE", message }),
    );
  });
});
