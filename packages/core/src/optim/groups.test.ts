import { describe, expect, test } from "vitest";
import { createCpuBackend } from "../cpu/cpu-backend.js";
import { sumInOrder64 } from "../cpu/sum-order-reference.js";
import { Linear, Module, Parameter, RmsNorm } from "../nn/index.js";
import { Tensor } from "../tensor/tensor.js";
import * as optim from "./index.js";
import { orthogonalise } from "./orthogonalise.js";

const backend = createCpuBackend();

function tensorOf(values: readonly number[], shape: readonly number[] = [values.length]): Tensor {
  const t = Tensor.allocate(backend, shape, "f32");
  backend.write(t.buffer, 0, Float32Array.from(values));
  return t;
}

class Net extends Module {
  body = new Linear(2, 2);
  norm = new RmsNorm(2);
  head = new Linear(2, 1);
}

describe("parameter groups by name", () => {
  test("take what their rule finds; the rest comes last with the optimizer's settings", () => {
    const net = new Net();
    const groups = optim.parameterGroups<optim.AdamSettings>(net, [
      { match: optim.isBiasOrNorm, weightDecay: 0 },
      { match: /^head\.weight$/, name: "head", learningRate: 0.05 },
    ]);
    const optimizer = new optim.AdamW(groups, { learningRate: 0.01, weightDecay: 0.1 });
    const nameOf = new Map(net.namedParameters().map(([name, parameter]) => [parameter as Tensor, name]));
    expect(
      optimizer.groups.map(({ parameters, settings }) => [
        parameters.map((p) => nameOf.get(p)),
        settings.weightDecay,
        settings.learningRateScale,
      ]),
    ).toEqual([
      [["body.bias", "norm.weight", "head.bias"], 0, 1],
      [["head.weight"], 0.1, 5],
      [["body.weight"], 0.1, 1],
    ]);
    expect(optimizer.group("head")).toBe(optimizer.groups[1]);
  });

  test("a name finds a module and a parameter, not a prefix of another name", () => {
    const net = new Net();
    const sizes = (match: string) =>
      optim.parameterGroups(net, [{ match }]).map(({ parameters }) => [...parameters].length);
    expect(sizes("body")).toEqual([2, 3]);
    expect(sizes("body.weight")).toEqual([1, 4]);
    expect(() => sizes("bod")).toThrow(
      expect.objectContaining({
        code: "E_PARAMETER_GROUP",
        message:
          "parameterGroups: bod finds none of the 5 parameters (body.weight, body.bias, norm.weight, head.weight, ...); a rule must find at least one. Check the name.",
      }),
    );
  });

  test("a parameter that two rules find is refused with both", () => {
    expect(() => optim.parameterGroups(new Net(), [{ match: "head" }, { match: /bias/ }])).toThrow(
      expect.objectContaining({
        code: "E_PARAMETER_GROUP",
        fields: { name: "head.bias", rules: [0, 1] },
      }),
    );
  });
});

describe("settings that are refused", () => {
  const one = () => [tensorOf([1])];
  const matrix = () => [tensorOf([1, 2], [1, 2])];
  test.each<[string, () => unknown]>([
    [
      "Adam: learningRate is -0.1; it must be a finite number of at least 0.",
      () => new optim.Adam(one(), { learningRate: -0.1 }),
    ],
    ["Adam: betas are [0.9, 1]; they must be two numbers in [0, 1).", () => new optim.Adam(one(), { betas: [0.9, 1] })],
    [
      "Lion: betas are [-0.1, 0.9]; they must be two numbers in [0, 1).",
      () => new optim.Lion(one(), { betas: [-0.1, 0.9] }),
    ],
    ["Nadam: eps is -1; it must be a finite number of at least 0.", () => new optim.Nadam(one(), { eps: -1 })],
    [
      "Adamax: betas are [0.9]; they must be two numbers in [0, 1).",
      () => new optim.Adamax(one(), { betas: [0.9] as never }),
    ],
    [
      "Adagrad: initialAccumulator is NaN; it must be a finite number of at least 0.",
      () => new optim.Adagrad(one(), { initialAccumulator: NaN }),
    ],
    ["Adadelta: rho is 1; it must be in [0, 1).", () => new optim.Adadelta(one(), { rho: 1 })],
    ["RmsProp: alpha is 2; it must be in [0, 1).", () => new optim.RmsProp(one(), { alpha: 2 })],
    [
      "Sgd: weightDecay is -1; it must be a finite number of at least 0.",
      () => new optim.Sgd([{ parameters: one(), weightDecay: -1 }]),
    ],
    ["Sgd: l1 is Infinity; it must be a finite number of at least 0.", () => new optim.Sgd(one(), { l1: Infinity })],
    ["Sgd: dampening is 1; it must be in [0, 1).", () => new optim.Sgd(one(), { momentum: 0.5, dampening: 1 })],
    [
      "Sgd: nesterov is set with momentum 0 and dampening 0; it must have momentum above 0 and dampening 0. Set momentum, or leave nesterov out.",
      () => new optim.Sgd(one(), { nesterov: true }),
    ],
    ["Muon: momentum is 1; it must be in [0, 1).", () => new optim.Muon(matrix(), { momentum: 1 })],
    [
      "Muon: numIterations is 0; it must be a whole number of at least 1.",
      () => new optim.Muon(matrix(), { numIterations: 0 }),
    ],
    [
      'Muon: method is "sgd"; it must be "auto", "muon" or "adamW".',
      () => new optim.Muon(matrix(), { method: "sgd" as never }),
    ],
    [
      'Muon: a parameter of shape [1] has method "muon"; it must have two or more dims. Use "auto" or "adamW".',
      () => new optim.Muon(one(), { method: "muon" }),
    ],
    ["Adam: there are no parameters; give at least one. Pass model.parameters().", () => new optim.Adam([])],
    [
      "Adam: parameters is no list; it must be one. Pass model.parameters() or a list of groups.",
      () => new optim.Adam(new Net() as never),
    ],
    [
      "Sgd: setting lr is unknown; it must be one of learningRate, learningRateScale, weightDecay, decoupledWeightDecay, l1, momentum, dampening, nesterov. Check the spelling.",
      () => new optim.Sgd(one(), { lr: 1 } as never),
    ],
    [
      "Sgd: setting decay is unknown; it must be one of learningRate, learningRateScale, weightDecay, decoupledWeightDecay, l1, momentum, dampening, nesterov. Check the spelling.",
      () => new optim.Sgd([{ parameters: one(), decay: 1 } as never]),
    ],
    [
      'Sgd: two groups are named "a"; names must differ. Rename one.',
      () =>
        new optim.Sgd([
          { name: "a", parameters: one() },
          { name: "a", parameters: one() },
        ]),
    ],
    [
      "Sgd: 1 of 2 items are groups and the others parameters; all must be of one kind. Put the parameters in a group { parameters: [...] }.",
      () => new optim.Sgd([{ parameters: one() }, tensorOf([1])] as never),
    ],
    [
      "Sgd: a group has learningRate 1 and the optimizer 0; the optimizer's must be above 0 for a group to have its own. Give the group a learningRateScale.",
      () => new optim.Sgd([{ parameters: one(), learningRate: 1 }], { learningRate: 0 }),
    ],
    [
      'Sgd: there is no group "tail"; it must be one of [head]. Give groups a name where they are made.',
      () => new optim.Sgd([{ name: "head", parameters: one() }]).group("tail"),
    ],
    ["clipGradValue: maxGradValue is 0; it must be above 0.", () => optim.clipGradValue(one(), 0)],
  ])("%s", (message, make) => {
    expect(make).toThrow(expect.objectContaining({ name: "ValueError", code: "E_VALUE", message }));
  });

  test("a parameter in two groups is named by its shape and group", () => {
    const p = tensorOf([1, 2]);
    const groups = [{ parameters: [p] }, { name: "again", parameters: [p] }];
    expect(() => new optim.Sgd(groups)).toThrow(
      'Sgd: a parameter of shape [2] is given twice (group "again"); it must stand in one group. Give it once.',
    );
  });
});

describe("penalties", () => {
  test("L1 pulls towards 0 by its own amount and leaves both zeros where they are", () => {
    const p = tensorOf([2, -2, 0, -0]);
    p.grad = tensorOf([0, 0, 0, 0]);
    new optim.Sgd([p], { learningRate: 1, l1: 0.5 }).step();
    expect([...p.dataSync()]).toEqual([1.5, -1.5, 0, -0]);
  });

  test("decay is coupled or decoupled in any optimizer, and L1 sees the decayed parameter's sign", () => {
    const after = (options: optim.AdamOptions) => {
      const p = tensorOf([2]);
      p.grad = tensorOf([1]);
      new optim.Adam([p], { learningRate: 0.25, eps: 0, ...options }).step();
      return p.itemSync();
    };
    // Adam's first step is the learning rate times the gradient's sign.
    expect(after({ weightDecay: 0.5 })).toBe(1.75);
    expect(after({ weightDecay: 0.5, decoupledWeightDecay: true })).toBe(1.5);
    expect(after({ weightDecay: 0, l1: 3 })).toBe(1.75);
  });
});

describe("frozen parameters", () => {
  const frozenAndNot = () => {
    const [a, b] = [new Parameter(tensorOf([1, 2])), new Parameter(tensorOf([3]))];
    a.requiresGrad = false;
    return [a, b] as const;
  };

  test("have no state, and the others keep their numbers", () => {
    const optimizer = new optim.Adam(frozenAndNot());
    expect([...optimizer.namedState()].map(([name]) => name)).toEqual(["1.firstMoment", "1.secondMoment"]);
  });

  test("stay as they are, decay included", () => {
    const [a, b] = frozenAndNot();
    b.grad = tensorOf([1]);
    new optim.AdamW([a, b], { learningRate: 0.5, weightDecay: 0.5 }).step();
    expect([...a.dataSync()]).toEqual([1, 2]);
    expect(b.itemSync()).toBe(1.75);
  });

  test("that get a gradient after all are an error, before anything is changed", () => {
    const [a, b] = frozenAndNot();
    const optimizer = new optim.Sgd([b, a], { learningRate: 1 });
    a.requiresGrad = true;
    a.grad = tensorOf([1, 1]);
    b.grad = tensorOf([1]);
    expect(() => optimizer.step()).toThrow(
      expect.objectContaining({ code: "E_STATE", fields: { parameter: 1, shape: [2] } }),
    );
    expect([b.itemSync(), optimizer.numSteps]).toEqual([3, 0]);
  });

  test("alone are refused", () => {
    const [a] = frozenAndNot();
    expect(() => new optim.Sgd([a])).toThrow(
      "Sgd: all 1 parameters are frozen; at least one must be trained. Set requiresGrad where it should be.",
    );
  });
});

test("clipGradValue brings every element between the bounds", () => {
  const p = tensorOf([0, 0, 0, 0]);
  p.grad = tensorOf([-3, -0.25, 0.5, 7]);
  optim.clipGradValue([p, tensorOf([1])], 0.5);
  expect([...p.grad.dataSync()]).toEqual([-0.5, -0.25, 0.5, 0.5]);
});

describe("orthogonalise", () => {
  const values = (rows: number, columns: number) =>
    Float32Array.from({ length: rows * columns }, (_, i) => ((i * 7919) % 101) / 50 - 1);

  test.each([
    [8, 8],
    [5, 19],
    [19, 5],
  ])(
    "of [%i, %i] leaves singular values between 0.6 and 1.3: columns or rows are nearly orthonormal",
    (rows, columns) => {
      const x = tensorOf([...values(rows, columns)], [rows, columns]);
      orthogonalise(backend, x, 7);
      const data = x.dataSync();
      const n = Math.min(rows, columns);
      const line = (i: number) =>
        Array.from({ length: Math.max(rows, columns) }, (_, k) =>
          rows <= columns ? data[i * columns + k]! : data[k * columns + i]!,
        );
      for (let i = 0; i < n; i++) {
        for (let j = 0; j <= i; j++) {
          const product = sumInOrder64(Float64Array.from(line(i), (v, k) => v * line(j)[k]!));
          if (i === j) expect(Math.abs(product - 0.85)).toBeLessThan(0.55);
          else expect(Math.abs(product)).toBeLessThan(0.45);
        }
      }
    },
  );

  test("of zeros is zeros", () => {
    const x = tensorOf([0, 0, 0, 0], [2, 2]);
    orthogonalise(backend, x, 5);
    expect([...x.dataSync()]).toEqual([0, 0, 0, 0]);
  });
});
