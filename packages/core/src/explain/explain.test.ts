import { describe, expect, test } from "vitest";
import { createCpuBackend, explain, nn, noGrad, seedScope, type Tensor, tensor, withBackend } from "../index.js";

const inputs = () =>
  tensor([
    [1, -2, 0.5],
    [3, 0, -1],
  ]);
const weights = () =>
  tensor([
    [2, -1],
    [0.5, 4],
    [-3, 1],
  ]);

const sumsOf = (attributions: Tensor): number[] => attributions.sum(1).toArraySync() as number[];

describe("attributions of a linear function", () => {
  test("are weight times input for the chosen class, the largest score unless told", () => {
    // Scores: [2 - 1 - 1.5, -1 - 8 + 0.5] and [6 + 3, -3 - 1].
    const linear = (x: Tensor) => x.matmul(weights());
    expect(explain.gradientTimesInput(linear, inputs()).toArraySync()).toEqual([
      [2, -1, -1.5],
      [6, 0, 3],
    ]);
    expect(explain.gradientTimesInput(linear, inputs(), { targets: [1, 0] }).toArraySync()).toEqual([
      [-1, -8, 0.5],
      [6, 0, 3],
    ]);
  });

  test("integrate to the difference from the baseline, exactly", () => {
    const affine = (x: Tensor) => x.matmul(weights()).add(tensor([10, 20]));
    const found = explain.integratedGradients(affine, inputs(), {
      targets: [0, 1],
      baseline: tensor([1, 1, 1]),
      numPoints: 4,
    });
    expect(found.attributions.toArraySync()).toEqual([
      [0, -1.5, 1.5],
      [-2, -4, -2],
    ]);
    expect(found.outputs.toArraySync()).toEqual([9.5, 16]);
    expect(found.baselineOutputs.toArraySync()).toEqual([9.5, 24]);
  });
});

describe("integrated gradients", () => {
  test("see through saturation, where gradient times input is 0 (the paper's section 2.1)", () => {
    // f(x) = 1 - relu(1 - x), from 0 to 2: f rises from 0 to 1 and stays.
    const saturated = (x: Tensor) => tensor(1).sub(tensor(1).sub(x).relu()).sum(1);
    const x = tensor([[2]]);
    expect(explain.gradientTimesInput(saturated, x).toArraySync()).toEqual([[0]]);
    expect(explain.integratedGradients(saturated, x).attributions.toArraySync()).toEqual([[1]]);
  });

  test("are exact where the gradient is linear along the path", () => {
    const squares = (x: Tensor) => x.square().sum(1);
    const found = explain.integratedGradients(squares, inputs(), { numPoints: 1, baseline: tensor([[1, 0, 2]]) });
    expect(found.attributions.toArraySync()).toEqual([
      [0, 4, -3.75],
      [8, 0, -3],
    ]);
  });

  test("are complete for a network: they add up to output - baseline's output, the better the more points there are", () => {
    const model = seedScope(5, () => new nn.Sequential(new nn.Linear(3, 16), new nn.Tanh(), new nn.Linear(16, 4)));
    const steep = (x: Tensor) => model.forward(x.mul(3));
    const gapOf = (numPoints: number): number => {
      const { attributions, outputs, baselineOutputs } = explain.integratedGradients(steep, inputs(), { numPoints });
      const wanted = outputs.sub(baselineOutputs).toArraySync() as number[];
      return Math.max(...sumsOf(attributions).map((sum, b) => Math.abs(sum - wanted[b]!)));
    };
    const [few, many] = [gapOf(2), gapOf(64)];
    expect(few).toBeGreaterThan(1e-2);
    expect(many).toBeLessThan(1e-3);
  });

  test("are the same inside noGrad, leave the inputs alone, and keep no memory", () => {
    const backend = createCpuBackend();
    withBackend(backend, () => {
      const w = tensor([[2], [3]]);
      const x = tensor([[1, 2]]);
      x.matmul(w).dispose(); // matmul keeps its packing buffer
      const before = backend.memory().numBuffers;
      const { attributions, outputs, baselineOutputs } = noGrad(() =>
        explain.integratedGradients((y) => y.matmul(w), x),
      );
      expect(attributions.toArraySync()).toEqual([[2, 6]]);
      expect(x.requiresGrad).toBe(false);
      for (const result of [attributions, outputs, baselineOutputs]) result.dispose();
      expect(backend.memory().numBuffers).toBe(before);
    });
    backend.dispose();
  });
});

describe("what does not fit is refused", () => {
  const square = (x: Tensor) => x.square().sum(1);
  const cases: readonly [what: string, call: () => unknown, code: string, part: string][] = [
    [
      "inputs of integers",
      () => explain.gradientTimesInput(square, tensor([[1]], { dtype: "i32" })),
      "E_SHAPE",
      "i32 [1,1]",
    ],
    ["outputs of another batch", () => explain.gradientTimesInput((x) => x.sum(0), inputs()), "E_SHAPE", "gave [3]"],
    [
      "targets that are no classes",
      () => explain.gradientTimesInput((x) => x, inputs(), { targets: [0, 3] }),
      "E_EXPLAIN",
      "0..2",
    ],
    [
      "too few targets",
      () => explain.gradientTimesInput((x) => x, inputs(), { targets: [0] }),
      "E_EXPLAIN",
      "must be 2 classes",
    ],
    [
      "a baseline of another width",
      () => explain.integratedGradients(square, inputs(), { baseline: tensor([1, 2]) }),
      "E_SHAPE",
      "baseline is f32 [2]",
    ],
    ["no points", () => explain.integratedGradients(square, inputs(), { numPoints: 0 }), "E_EXPLAIN", "numPoints is 0"],
    [
      "outputs that ignore the inputs",
      () => explain.gradientTimesInput(() => inputs().sum(1), inputs()),
      "E_NO_GRAD",
      "does not depend",
    ],
  ];
  test.each(cases)("%s", (_what, call, code, part) => {
    expect(call).toThrow(expect.objectContaining({ code, message: expect.stringContaining(part) }));
  });
});
