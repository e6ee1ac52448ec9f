import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { decodeSafetensors, type nn, tensor } from "@lockstep/core";
import { describe, expect, test } from "vitest";
import { Lenet } from "./lenet/lenet.js";
import { Resnet18 } from "./resnet/resnet18.js";
import { Unet } from "./unet/unet.js";

/** Written by tools/golden/vision.py with PyTorch; core's golden tests check that script and file belong together. */
const path = fileURLToPath(new URL("../../core/testdata/golden/vision.safetensors", import.meta.url));
const { tensors } = decodeSafetensors(readFileSync(path), { source: "vision.safetensors" });

const models: Readonly<Record<string, () => nn.Layer>> = {
  lenet: () => new Lenet({ imageSize: 16 }),
  resnet18: () => new Resnet18({ width: 4, numClasses: 5 }),
  unet: () => new Unet({ inChannels: 2, numClasses: 3, depth: 2, width: 3 }),
};

/** Largest difference over the largest expected value: gradients of 18 layers differ in size by powers of ten. */
function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let worst = 0;
  let largest = 1e-3;
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    worst = Math.max(worst, Math.abs(actual[i]! - expected[i]!));
    largest = Math.max(largest, Math.abs(expected[i]!));
  }
  return worst / largest;
}

describe("vision models against PyTorch", () => {
  test.each(Object.keys(models))(
    "%s gives the same output, gradients and running statistics, and then the same evaluation",
    (name) => {
      const stored = (part: string) => tensors.get(`${name}/${part}`)!;
      const model = models[name]!();
      const prefix = `${name}/weight/`;
      const weights = [...tensors].filter(([key]) => key.startsWith(prefix));
      model.loadStateDict(weights.map(([key, value]) => [key.slice(prefix.length), value]));
      const x = tensor(stored("x").data, { shape: stored("x").shape, requiresGrad: true });
      const out = model.forward(x);
      expect(out.shape).toEqual(stored("out").shape);
      expect(relativeError(out.dataSync(), stored("out").data)).toBeLessThan(2e-5);
      out.backward({ cotangent: tensor(stored("cotangent").data, { shape: out.shape }) });
      for (const [key, leaf] of [["x", x] as const, ...model.namedParameters()]) {
        expect(relativeError(leaf.grad!.dataSync(), stored(`grad/${key}`).data), key).toBeLessThan(5e-5);
      }
      for (const [key, buffer] of model.namedBuffers()) {
        expect(relativeError(buffer.dataSync(), stored(`after/${key}`).data), key).toBeLessThan(1e-5);
      }
      model.eval();
      expect(relativeError(model.forward(x).dataSync(), stored("eval").data)).toBeLessThan(2e-5);
    },
  );
});
