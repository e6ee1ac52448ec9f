import { describe, expect, test } from "vitest";
import { Parameter } from "../nn/index.js";
import * as optim from "../optim/index.js";
import { tensor } from "../tensor/create.js";
import { readGolden, worstError } from "./golden-file.testkit.js";

const { tensors } = readGolden("optimizers");
const names = ["weight", "bias"] as const;
type Parameters = Readonly<Record<(typeof names)[number], Parameter>>;

const both = ({ weight, bias }: Parameters) => [weight, bias];
/** Case name of tools/golden/optimizers.py -> the same optimizer. */
const optimizers: Readonly<Record<string, (parameters: Parameters) => optim.Optimizer>> = {
  sgd: (p) => new optim.Sgd(both(p), { learningRate: 0.1 }),
  sgdMomentum: (p) => new optim.Sgd(both(p), { learningRate: 0.1, momentum: 0.9 }),
  sgdNesterov: (p) => new optim.Sgd(both(p), { learningRate: 0.1, momentum: 0.9, nesterov: true }),
  sgdWeightDecay: (p) => new optim.Sgd(both(p), { learningRate: 0.1, momentum: 0.9, weightDecay: 0.1 }),
  adam: (p) => new optim.Adam(both(p), { learningRate: 0.01 }),
  adamWeightDecay: (p) =>
    new optim.Adam(both(p), { learningRate: 0.01, betas: [0.8, 0.95], eps: 1e-6, weightDecay: 0.1 }),
  adamw: (p) => new optim.AdamW(both(p), { learningRate: 0.01, weightDecay: 0.1 }),
  adamwGroups: ({ weight, bias }) =>
    new optim.AdamW(
      [
        { parameters: [weight], weightDecay: 0.1 },
        { parameters: [bias], weightDecay: 0 },
      ],
      { learningRate: 0.01 },
    ),
  adamwClipped: (p) => new optim.AdamW(both(p), { learningRate: 0.01, weightDecay: 0.1 }),
};

const tolerance = { absolute: 1e-6, relative: 2e-6 };
const stored = (key: string) => tensors.get(key)!;

describe("optimizers against PyTorch", () => {
  test("every golden case has a counterpart here", () => {
    const found = new Set([...tensors.keys()].map((key) => key.split("/")[0]!));
    expect([...found].filter((name) => name !== "start" && !/^\d/.test(name)).sort()).toEqual(
      Object.keys(optimizers).sort(),
    );
  });

  test.each(Object.keys(optimizers))("ten steps of %s give the same parameters", (name) => {
    const make = (key: string) =>
      new Parameter(tensor(stored(`start/${key}`).data, { shape: stored(`start/${key}`).shape }));
    const parameters: Parameters = { weight: make("weight"), bias: make("bias") };
    const optimizer = optimizers[name]!(parameters);
    for (let step = 0; step < 10; step++) {
      for (const key of names) {
        const { data, shape } = stored(`${step}/grad/${key}`);
        parameters[key].grad = tensor(data, { shape });
      }
      if (name.endsWith("Clipped")) {
        const norm = optim.clipGradNorm(both(parameters), 1);
        expect(worstError([norm], stored(`${name}/${step}/norm`).data, tolerance)).toBeLessThanOrEqual(1);
      }
      optimizer.step();
      for (const key of names) {
        const error = worstError(parameters[key].dataSync(), stored(`${name}/${step}/${key}`).data, tolerance);
        expect(error, `${key} after step ${step}`).toBeLessThanOrEqual(1);
      }
    }
  });
});
