/** @file The gradient of a whole GPT against central differences of its loss, written again in f64 from the references of the ops. */
import { createCpuBackend, Generator, losses, scope, type Tensor, tensor, withBackend } from "@lockstep/core";
import { expectClose, opRegistry, type ReferenceArray } from "@lockstep/core/testing";
import { expect, test } from "vitest";
import { Gpt } from "./gpt.js";

const config = { vocabSize: 7, seqLen: 6, numLayers: 2, numHeads: 3, embedDim: 6 };
const [B, T, C] = [2, 5, config.embedDim];
const inputs = [3, 0, 6, 3, 2, 5, 5, 1, 4, 0];
const targets = [0, 6, -100, 2, 5, 5, 1, 4, 0, 3];

/** Far larger than initial weights, so that every path of the network carries a gradient. */
function randomise(model: Gpt): void {
  const generator = new Generator(11);
  const entries = model.namedParameters().map(([name, parameter]): [string, Tensor] => {
    const values = new Float32Array(parameter.size);
    const isScale = /norm\d?\.weight$/i.test(name);
    generator.fillNormal(values, isScale ? 1 : 0, isScale ? 0.2 : 0.5);
    return [name, tensor(values, { shape: parameter.shape })];
  });
  model.loadStateDict(entries);
}

function apply(name: string, operands: readonly ReferenceArray[], attrs?: unknown): ReferenceArray {
  return opRegistry.find((op) => op.name === name)!.reference(operands, attrs)[0]!;
}

function reshaped({ values }: ReferenceArray, shape: readonly number[]): ReferenceArray {
  return { shape, values };
}

const indices = (values: readonly number[]): ReferenceArray => ({
  shape: [values.length],
  values: Float64Array.from(values),
});

/** The summed cross-entropy in f64. */
function loss64(parameters: ReadonlyMap<string, ReferenceArray>): number {
  const p = (name: string): ReferenceArray => parameters.get(name)!;
  const layer = (x: ReferenceArray, name: string) => apply("linear", [x, p(`${name}.weight`), p(`${name}.bias`)]);
  const norm = (x: ReferenceArray, name: string) =>
    apply("layerNorm", [x, p(`${name}.weight`), p(`${name}.bias`)], { eps: 1e-5 });
  const positions = indices(inputs.map((_, i) => i % T));
  let x = apply("add", [
    apply("embedding", [p("tokenEmbedding.weight"), indices(inputs)]),
    apply("embedding", [p("positionEmbedding.weight"), positions]),
  ]); // [B * T, C]
  for (let i = 0; i < config.numLayers; i++) {
    const qkv = layer(norm(x, `blocks.${i}.norm1`), `blocks.${i}.attention.qkv`);
    const { numHeads } = config;
    const attrs = { numHeads, scale: 1 / Math.sqrt(C / numHeads) };
    const heads = apply("packedCausalAttention", [reshaped(qkv, [B, T, 3 * C])], attrs);
    x = apply("add", [x, layer(reshaped(heads, [B * T, C]), `blocks.${i}.attention.proj`)]);
    const hidden = layer(norm(x, `blocks.${i}.norm2`), `blocks.${i}.mlp.fc`);
    x = apply("add", [x, layer(apply("gelu", [hidden], { approximate: "tanh" }), `blocks.${i}.mlp.proj`)]);
  }
  const logits = apply("linear", [norm(x, "finalNorm"), p("tokenEmbedding.weight")]);
  const rows = apply("crossEntropy", [logits, indices(targets)], { ignoreIndex: -100 });
  return rows.values.reduce((a, b) => a + b, 0);
}

function centralDifferences(parameters: ReadonlyMap<string, ReferenceArray>, { values }: ReferenceArray): Float64Array {
  return values.map((value, i) => {
    const step = 1e-5 * Math.max(1, Math.abs(value));
    values[i] = value + step;
    const above = loss64(parameters);
    values[i] = value - step;
    const below = loss64(parameters);
    values[i] = value;
    return (above - below) / (2 * step);
  });
}

/** The summed loss, and the parameters in the order in which their gradients became final. */
function lossAndBackward(model: Gpt): { loss: number; ready: Tensor[] } {
  return scope(() => {
    const ids = tensor(inputs, { shape: [B, T], dtype: "i32" });
    const wanted = tensor(targets, { shape: [B, T], dtype: "i32" });
    const { sum, weight } = losses.crossEntropy(model.forward(ids), wanted);
    expect(weight).toBe(targets.length - 1);
    const ready: Tensor[] = [];
    sum.backward({ leaves: model.parameters(), onGradReady: (leaf) => ready.push(leaf) });
    return { loss: sum.itemSync(), ready };
  });
}

test("every gradient of a two-layer GPT with a tied head is the slope of its loss", () => {
  const backend = createCpuBackend();
  withBackend(backend, () => {
    const model = new Gpt(config);
    randomise(model);
    const parameters = new Map(
      model
        .namedParameters()
        .map(([name, parameter]): [string, ReferenceArray] => [
          name,
          { shape: parameter.shape, values: Float64Array.from(parameter.dataSync()) },
        ]),
    );
    lossAndBackward(model); // The backend keeps its scratch memory from here on.
    model.zeroGrad();
    const before = backend.memory().numBuffers;
    const { loss, ready } = lossAndBackward(model);
    expectClose([loss], [loss64(parameters)], { reductionLength: B * T, what: "the loss" });
    expect(new Set(ready).size).toBe(ready.length);
    expect(new Set(ready)).toEqual(new Set(model.parameters()));
    // Backward order: the last norm first; the token embedding, which is also the head, after everything but the positions.
    expect(ready[0]).toBe(model.finalNorm.weight);
    expect(ready.slice(-2)).toContain(model.tokenEmbedding.weight);
    for (const [name, parameter] of model.namedParameters()) {
      const expected = centralDifferences(parameters, parameters.get(name)!);
      const magnitude = expected.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
      expect(magnitude, name).toBeGreaterThan(1e-3);
      expectClose(parameter.grad!.dataSync(), expected, {
        tolerance: { relative: 1e-5, absolute: 2e-6 * Math.max(1, magnitude) },
        because: "rounding grows through two layers",
        what: name,
      });
    }
    model.zeroGrad();
    expect(backend.memory().numBuffers).toBe(before);
    model.dispose();
  });
  backend.dispose();
});
