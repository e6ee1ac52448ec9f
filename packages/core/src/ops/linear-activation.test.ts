/** @file The fused op beside its composite: not close, equal; and where a layer takes it. */
import { expect, test } from "vitest";
import "./tensor-methods.js";
import { microBatchScope } from "../autograd/micro-batch-scope.js";
import { withBackend } from "../backend/current-backend.js";
import { createCpuBackend } from "../cpu/index.js";
import { Linear } from "../nn/linear.js";
import { Generator, seedScope } from "../rng/index.js";
import { tensor } from "../tensor/create.js";
import type { Tensor } from "../tensor/tensor.js";
import { linear } from "./linear.js";
import { activate, type LinearActivation, linearActivation } from "./linear-activation.js";

const names: readonly LinearActivation[] = ["relu", "gelu", "geluTanh", "silu", "sigmoid", "tanh"];
type Forward = (x: Tensor, layer: Linear) => Tensor;

/** Output and gradients of x [3, 5, 37] through a layer of 37 to 19, words of all, and the bytes in use at the most. */
function wordsOf(forward: Forward): { readonly words: Int32Array[]; readonly peakBytes: number } {
  const backend = createCpuBackend();
  const words = withBackend(backend, () => {
    const layer = seedScope(3, () => new Linear(37, 19));
    const random = new Generator(5);
    const values = Float32Array.from({ length: 3 * 5 * 37 }, () => 4 * random.normal());
    return microBatchScope({ seed: 1, step: 0, m: 0 }, () => {
      const x = tensor(values, { shape: [3, 5, 37] });
      x.requiresGrad = true;
      const y = forward(x, layer);
      y.mul(y).sum().backward();
      return [y, x.grad!, layer.weight.grad!, layer.bias!.grad!].map((t) => new Int32Array(t.dataSync().buffer));
    });
  });
  return { words, peakBytes: backend.memory().peakBytes };
}

test.each(names)("%s of a linear map has the bits of the two ops, gradients too, and takes as much memory", (name) => {
  const fused = wordsOf((x, layer) => linearActivation(x, layer, name));
  const apart = wordsOf((x, layer) => activate(linear(x, layer.weight, layer.bias), name));
  expect(fused.words).toEqual(apart.words);
  expect(new Set(fused.words[0]).size).toBeGreaterThan(100);
  expect(fused.peakBytes).toBe(apart.peakBytes);
});

test("an activation that there is none of is named, with those there are", () => {
  const [x, weight, bias] = [tensor([[1]]), tensor([[1]]), tensor([1])];
  expect(() => linearActivation(x, { weight, bias }, "cube" as LinearActivation)).toThrowError(
    'linearActivation: activation is "cube"; it must be one of relu, gelu, geluTanh, silu, sigmoid, tanh. Apply others to the result of linear.',
  );
});

test("a layer whose forward is watched or replaced is asked for it", () => {
  const layer = new Linear(1, 1);
  layer.loadStateDict({ weight: tensor([[2]]), bias: tensor([1]) });
  const seen: number[] = [];
  const hook = layer.registerForwardHook((_, __, out) => {
    seen.push(out.itemSync());
    return out.neg();
  });
  expect(layer.activated(tensor([[3]]), "relu").itemSync()).toBe(0);
  hook.remove();
  expect(layer.activated(tensor([[3]]), "relu").itemSync()).toBe(7);
  expect(seen).toEqual([7]);
  class Doubled extends Linear {
    override forward(x: Tensor): Tensor {
      return super.forward(x).mul(2);
    }
  }
  const doubled = new Doubled(1, 1);
  doubled.loadStateDict({ weight: tensor([[2]]), bias: tensor([1]) });
  expect(doubled.activated(tensor([[3]]), "relu").itemSync()).toBe(14);
});
