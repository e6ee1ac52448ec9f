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
  sgdDampening: (p) => new optim.Sgd(both(p), { learningRate: 0.1, momentum: 0.8, dampening: 0.3, weightDecay: 0.05 }),
  sgdL1: (p) => new optim.Sgd(both(p), { learningRate: 0.1, momentum: 0.9, l1: 0.2 }),
  sgdClippedByValue: (p) => new optim.Sgd(both(p), { learningRate: 0.1 }),
  sgdGroupRates: ({ weight, bias }) =>
    new optim.Sgd([{ parameters: [weight], learningRate: 0.02 }, { parameters: [bias] }], {
      learningRate: 0.1,
      momentum: 0.9,
    }),
  adagrad: (p) => new optim.Adagrad(both(p), { learningRate: 0.1 }),
  adagradOptions: (p) =>
    new optim.Adagrad(both(p), {
      learningRate: 0.1,
      learningRateDecay: 0.05,
      weightDecay: 0.1,
      initialAccumulator: 0.3,
      eps: 1e-6,
    }),
  adadelta: (p) => new optim.Adadelta(both(p), { learningRate: 0.7, weightDecay: 0.1 }),
  rmsprop: (p) => new optim.RmsProp(both(p), { learningRate: 0.01 }),
  rmspropMomentum: (p) =>
    new optim.RmsProp(both(p), { learningRate: 0.01, alpha: 0.9, momentum: 0.8, weightDecay: 0.1 }),
  rmspropCentered: (p) => new optim.RmsProp(both(p), { learningRate: 0.01, alpha: 0.9, eps: 1e-3, centered: true }),
  rmspropCenteredMomentum: (p) =>
    new optim.RmsProp(both(p), { learningRate: 0.01, alpha: 0.9, eps: 1e-3, centered: true, momentum: 0.8 }),
  adamAmsgrad: (p) => new optim.Adam(both(p), { learningRate: 0.01, amsgrad: true, weightDecay: 0.1 }),
  adamwAmsgrad: (p) =>
    new optim.AdamW(both(p), { learningRate: 0.01, betas: [0.7, 0.8], amsgrad: true, weightDecay: 0.1 }),
  adamax: (p) => new optim.Adamax(both(p), { learningRate: 0.01, weightDecay: 0.1 }),
  nadam: (p) => new optim.Nadam(both(p), { learningRate: 0.01, weightDecay: 0.1, momentumDecay: 0.02 }),
  lion: (p) => new optim.Lion(both(p), { learningRate: 0.01, weightDecay: 0.1 }),
  muon: (p) => new optim.Muon(both(p), { weightDecay: 0.1 }),
  muonPlain: (p) => new optim.Muon(both(p), { weightDecay: 0.1, nesterov: false }),
  muonTall: (p) => new optim.Muon(both(p), { weightDecay: 0.1 }),
};

/** Rows become columns: the parameter is updated lying down, the golden values stand. */
function transposedOf({ data, shape }: { data: Float32Array; shape: readonly number[] }) {
  const [rows, columns] = shape as [number, number];
  return {
    data: Float32Array.from(data, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)]!),
    shape: [columns, rows],
  };
}

const tolerance = { absolute: 1e-6, relative: 2e-6 };
/** Newton and Schulz multiply an error by their slope at 0 in each of five iterations. */
const toleranceOf = (name: string) => (name.startsWith("muon") ? { absolute: 1e-5, relative: 1e-5 } : tolerance);
const stored = (key: string) => tensors.get(key)!;

describe("optimizers against PyTorch", () => {
  test("every golden case has a counterpart here", () => {
    const found = new Set([...tensors.keys()].map((key) => key.split("/")[0]!));
    expect([...found].filter((name) => name !== "start" && !/^\d/.test(name)).sort()).toEqual(
      Object.keys(optimizers).sort(),
    );
  });

  test.each(Object.keys(optimizers))("ten steps of %s give the same parameters", (name) => {
    const isTall = name.endsWith("Tall");
    const read = (path: string) => {
      const { data, shape } = stored(path) as { data: Float32Array; shape: readonly number[] };
      return isTall && shape.length === 2 ? transposedOf({ data, shape }) : { data, shape };
    };
    const make = (key: string) => {
      const { data, shape } = read(`start/${key}`);
      return new Parameter(tensor(data, { shape }));
    };
    const parameters: Parameters = { weight: make("weight"), bias: make("bias") };
    const optimizer = optimizers[name]!(parameters);
    for (let step = 0; step < 10; step++) {
      for (const key of names) {
        const { data, shape } = read(`${step}/grad/${key}`);
        parameters[key].grad = tensor(data, { shape });
      }
      if (name.endsWith("Clipped")) {
        const norm = optim.clipGradNorm(both(parameters), 1);
        expect(worstError([norm], stored(`${name}/${step}/norm`).data, tolerance)).toBeLessThanOrEqual(1);
      }
      if (name.endsWith("ClippedByValue")) optim.clipGradValue(both(parameters), 0.5);
      optimizer.step();
      for (const key of names) {
        const error = worstError(parameters[key].dataSync(), read(`${name}/${step}/${key}`).data, toleranceOf(name));
        expect(error, `${key} after step ${step}`).toBeLessThanOrEqual(1);
      }
    }
  });
});
