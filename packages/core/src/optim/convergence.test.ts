/** @file Every optimizer finds the minimum of a quadratic and of Rosenbrock's valley. */
import { describe, expect, test } from "vitest";
import { createCpuBackend } from "../cpu/cpu-backend.js";
import { Tensor } from "../tensor/tensor.js";
import * as optim from "./index.js";

const backend = createCpuBackend();

type Make = (p: readonly Tensor[]) => optim.Optimizer;

interface Problem {
  readonly start: readonly number[];
  readonly value: (x: readonly number[]) => number;
  readonly gradient: (x: readonly number[]) => number[];
}

const curvatures = [1, 4, 20];
const quadratic: Problem = {
  start: [2, -1.5, 1],
  value: (x) => x.reduce((sum, v, i) => sum + 0.5 * curvatures[i]! * v * v, 0),
  gradient: (x) => x.map((v, i) => curvatures[i]! * v),
};
const rosenbrock: Problem = {
  start: [-1.2, 1],
  value: ([x, y]) => (1 - x!) ** 2 + 100 * (y! - x! * x!) ** 2,
  gradient: ([x, y]) => [-2 * (1 - x!) - 400 * x! * (y! - x! * x!), 200 * (y! - x! * x!)],
};

/** Value at the end; the learning rate falls in a straight line. @param isMatrix the parameter is one row. */
function minimise({ start, value, gradient }: Problem, make: Make, numSteps: number, isMatrix = false): number {
  const shape = isMatrix ? [1, start.length] : [start.length];
  const p = Tensor.allocate(backend, shape, "f32");
  p.grad = Tensor.allocate(backend, shape, "f32");
  backend.write(p.buffer, 0, Float32Array.from(start));
  const optimizer = make([p]);
  const { learningRate } = optimizer;
  for (let step = 0; step < numSteps; step++) {
    backend.write(p.grad.buffer, 0, Float32Array.from(gradient([...p.dataSync()])));
    optimizer.learningRate = learningRate * (1 - step / numSteps);
    optimizer.step();
  }
  const end = value([...p.dataSync()]);
  optimizer.dispose();
  p.grad.dispose();
  p.dispose();
  return end;
}

/** Learning rates for the quadratic and for the valley. */
const optimizers: Readonly<Record<string, readonly [(learningRate: number) => Make, number, number]>> = {
  Sgd: [(learningRate) => (p) => new optim.Sgd(p, { learningRate }), 0.05, 1.5e-3],
  "Sgd with momentum": [(learningRate) => (p) => new optim.Sgd(p, { learningRate, momentum: 0.9 }), 0.02, 5e-4],
  "Sgd with nesterov": [
    (learningRate) => (p) => new optim.Sgd(p, { learningRate, momentum: 0.9, nesterov: true }),
    0.02,
    5e-4,
  ],
  Adagrad: [(learningRate) => (p) => new optim.Adagrad(p, { learningRate }), 0.5, 0.5],
  Adadelta: [(learningRate) => (p) => new optim.Adadelta(p, { learningRate }), 30, 1],
  RmsProp: [(learningRate) => (p) => new optim.RmsProp(p, { learningRate }), 0.02, 0.01],
  "RmsProp centered": [
    (learningRate) => (p) => new optim.RmsProp(p, { learningRate, centered: true, momentum: 0.5 }),
    0.01,
    0.003,
  ],
  Adam: [(learningRate) => (p) => new optim.Adam(p, { learningRate }), 0.1, 0.05],
  "Adam with amsgrad": [(learningRate) => (p) => new optim.Adam(p, { learningRate, amsgrad: true }), 0.1, 0.05],
  AdamW: [(learningRate) => (p) => new optim.AdamW(p, { learningRate, weightDecay: 0 }), 0.1, 0.05],
  Adamax: [(learningRate) => (p) => new optim.Adamax(p, { learningRate }), 0.1, 0.05],
  Nadam: [(learningRate) => (p) => new optim.Nadam(p, { learningRate }), 0.1, 0.05],
  Lion: [(learningRate) => (p) => new optim.Lion(p, { learningRate }), 0.03, 0.01],
  Muon: [(learningRate) => (p) => new optim.Muon(p, { learningRate }), 0.05, 0.02],
};

describe("every optimizer", () => {
  test("has a row here", () => {
    const isOptimizer = (value: unknown): boolean =>
      typeof value === "function" && value.prototype instanceof optim.Optimizer;
    const names = Object.entries(optim).flatMap(([name, value]) => (isOptimizer(value) ? [name] : []));
    expect([...new Set(Object.keys(optimizers).map((name) => name.split(" ")[0]!))].sort()).toEqual(names.sort());
  });

  test.each(Object.keys(optimizers))("%s finds the minimum of a quadratic", (name) => {
    const [make, rate] = optimizers[name]!;
    expect(quadratic.value(quadratic.start)).toBe(16.5);
    expect(minimise(quadratic, make(rate), 800, name === "Muon")).toBeLessThan(2e-3);
  });

  test.each(Object.keys(optimizers))("%s goes down Rosenbrock's valley", (name) => {
    const [make, , rate] = optimizers[name]!;
    expect(rosenbrock.value(rosenbrock.start)).toBeCloseTo(24.2, 10);
    expect(minimise(rosenbrock, make(rate), 4000, name === "Muon")).toBeLessThan(0.05);
  });
});
