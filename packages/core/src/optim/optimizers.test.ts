import { describe, expect, test } from "vitest";
import { createCpuBackend } from "../cpu/cpu-backend.js";
import { Tensor } from "../tensor/tensor.js";
import { Adam, AdamW, clipGradNorm, Nadam, type Optimizer, Sgd } from "./index.js";

const backend = createCpuBackend();

function tensorOf(values: readonly number[]): Tensor {
  const t = Tensor.allocate(backend, [values.length], "f32");
  backend.write(t.buffer, 0, Float32Array.from(values));
  return t;
}

const start = [0.5, -1.25, 3];
const gradientAt = (step: number): number[] => [0.1 * (step + 1), -0.5 + 0.2 * step, step === 1 ? 0 : 2];

/** Parameters after three updates. */
function afterThree(create: (p: Tensor) => Optimizer): number[] {
  const p = tensorOf(start);
  const optimizer = create(p);
  for (let step = 0; step < 3; step++) {
    p.grad = tensorOf(gradientAt(step));
    optimizer.learningRate = 0.1 / (step + 1);
    optimizer.step();
    optimizer.zeroGrad();
  }
  return [...p.dataSync()];
}

/** The same three updates in f64, element by element. */
function inF64(
  update: (state: { p: number; m: number; v: number; t: number }, g: number, lr: number) => void,
): number[] {
  return start.map((p0, i) => {
    const state = { p: p0, m: 0, v: 0, t: 0 };
    for (let step = 0; step < 3; step++) {
      state.t++;
      update(state, gradientAt(step)[i]!, 0.1 / (step + 1));
    }
    return state.p;
  });
}

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  for (const [i, value] of actual.entries()) {
    expect(Math.abs(value - expected[i]!)).toBeLessThan(2e-6 * Math.max(1, Math.abs(expected[i]!)));
  }
}

describe("optimizers", () => {
  test("Sgd is plain gradient descent without momentum", () => {
    const expected = inF64((s, g, lr) => {
      s.p -= lr * (g + 0.3 * s.p);
    });
    expectClose(
      afterThree((p) => new Sgd([p], { weightDecay: 0.3 })),
      expected,
    );
  });

  test("Sgd keeps a velocity with momentum, and looks ahead with nesterov", () => {
    const plain = inF64((s, g, lr) => {
      s.m = 0.9 * s.m + g;
      s.p -= lr * s.m;
    });
    const nesterov = inF64((s, g, lr) => {
      s.m = 0.9 * s.m + g;
      s.p -= lr * (g + 0.9 * s.m);
    });
    expectClose(
      afterThree((p) => new Sgd([p], { momentum: 0.9 })),
      plain,
    );
    expectClose(
      afterThree((p) => new Sgd([p], { momentum: 0.9, nesterov: true })),
      nesterov,
    );
  });

  test("Adam adds weight decay to the gradient, AdamW shrinks the parameter", () => {
    const moments = (s: { m: number; v: number; t: number }, g: number): number => {
      s.m = 0.8 * s.m + 0.2 * g;
      s.v = 0.95 * s.v + 0.05 * g * g;
      return s.m / (1 - 0.8 ** s.t) / (Math.sqrt(s.v / (1 - 0.95 ** s.t)) + 1e-6);
    };
    const options = { betas: [0.8, 0.95] as const, eps: 1e-6, weightDecay: 0.1 };
    const adam = inF64((s, g, lr) => {
      s.p -= lr * moments(s, g + 0.1 * s.p);
    });
    const adamW = inF64((s, g, lr) => {
      s.p *= 1 - lr * 0.1;
      s.p -= lr * moments(s, g);
    });
    expectClose(
      afterThree((p) => new Adam([p], options)),
      adam,
    );
    expectClose(
      afterThree((p) => new AdamW([p], options)),
      adamW,
    );
  });

  test("groups have settings of their own, and one parameter stands in one group only", () => {
    const [a, b] = [tensorOf([1]), tensorOf([1])];
    const optimizer = new Sgd([{ parameters: [a] }, { parameters: [b], weightDecay: 1, learningRateScale: 0.5 }], {
      learningRate: 0.5,
    });
    a.grad = tensorOf([1]);
    b.grad = tensorOf([1]);
    optimizer.step();
    expect([a.itemSync(), b.itemSync()]).toEqual([0.5, 0.5]);
    expect(() => new Sgd([{ parameters: [a] }, { parameters: [a] }])).toThrow(
      expect.objectContaining({ code: "E_VALUE" }),
    );
  });

  test("an update raises the storage's version, so that a saved tensor is known to be stale", () => {
    const p = tensorOf([1]);
    p.grad = tensorOf([1]);
    const before = p.storage.version;
    new Sgd([p]).step();
    expect(p.storage.version).toBeGreaterThan(before);
  });

  test("Nadam's product of momenta belongs to the update that is made, also after going back", () => {
    const afterOne = (numSteps: readonly number[]) => {
      const p = tensorOf([1]);
      const optimizer = new Nadam([p], { learningRate: 0.1 });
      for (const count of numSteps) {
        optimizer.restoreCounters({ numSteps: count });
        backend.write(p.buffer, 0, Float32Array.of(1));
        for (const [, state] of optimizer.namedState()) backend.write(state.buffer, 0, Float32Array.of(0));
        p.grad = tensorOf([1]);
        optimizer.step();
      }
      return p.itemSync();
    };
    expect(afterOne([7, 2])).toBe(afterOne([2]));
    expect(afterOne([2, 7])).toBe(afterOne([7]));
    expect(afterOne([7])).not.toBe(afterOne([2]));
  });

  test("the state is there before the first step, named by parameter", () => {
    const optimizer = new AdamW([tensorOf([1, 2]), tensorOf([3])]);
    expect([...optimizer.namedState()].map(([name, t]) => [name, ...t.dataSync()])).toEqual([
      ["0.firstMoment", 0, 0],
      ["0.secondMoment", 0, 0],
      ["1.firstMoment", 0],
      ["1.secondMoment", 0],
    ]);
  });
});

describe("clipGradNorm", () => {
  test("scales to the maximum and returns the norm before", () => {
    const [a, b] = [tensorOf([0, 0]), tensorOf([0])];
    a.grad = tensorOf([3, 0]);
    b.grad = tensorOf([4]);
    expect(clipGradNorm([a, b], 2.5)).toBe(5);
    const factor = Math.fround(2.5 / (5 + 1e-6));
    expect([...a.grad.dataSync(), b.grad.itemSync()]).toEqual([Math.fround(3 * factor), 0, Math.fround(4 * factor)]);
    expect(clipGradNorm([a, b], Infinity)).toBeCloseTo(2.5, 5);
  });

  test("the norm is that of the gradients laid end to end in reverse order of registration", () => {
    const sizes = [5000, 4097, 33];
    const all = sizes.map((n, k) =>
      Array.from({ length: n }, (_, i) => Math.fround(((i * 7919 + k * 13) % 1009) / 7 - 70)),
    );
    const parameters = all.map((values) => {
      const p = tensorOf(values);
      p.grad = tensorOf(values);
      return p;
    });
    const flat = tensorOf([...all].reverse().flat());
    expect(clipGradNorm(parameters, Infinity)).toBe(Math.sqrt(backend.kernels.sumSquares([flat])));
  });
});
