import { losses, optim, scope, seedScope, tensor } from "@lockstep/core";
import { describe, expect, test } from "vitest";
import { Mlp, type MlpActivation } from "./mlp.js";

describe("Mlp", () => {
  test("puts the activation after every layer but the last", () => {
    const model = new Mlp({ dims: [1, 1, 1] });
    for (const parameter of model.parameters()) {
      parameter.backend.write(parameter.buffer, parameter.offset, Float32Array.from([-2]));
    }
    // 3 -> relu(-2 * 3 - 2) = 0 -> -2 * 0 - 2
    expect(model.forward(tensor([[3], [-3]])).toArraySync()).toEqual([[-2], [-10]]);
  });

  test("learns exclusive or", () => {
    const model = seedScope(2, () => new Mlp({ dims: [2, 16, 1], activation: "tanh" }));
    const optimizer = new optim.Adam(model.parameters(), { learningRate: 0.03 });
    const [x, y] = [
      tensor([
        [0, 0],
        [0, 1],
        [1, 0],
        [1, 1],
      ]),
      tensor([[0], [1], [1], [0]]),
    ];
    const step = () => {
      const loss = scope(() => {
        const mean = losses.meanLoss(losses.mseLoss(model.forward(x), y));
        mean.backward();
        return mean.itemSync();
      });
      optimizer.step();
      optimizer.zeroGrad();
      return loss;
    };
    expect(step()).toBeGreaterThan(0.1);
    for (let i = 0; i < 300; i++) step();
    expect(step()).toBeLessThan(1e-3);
  });

  test.each([
    { config: { dims: [3] }, message: "Mlp: dims are [3]; there must be at least two, input and output." },
    {
      config: { dims: [3, 1], activation: "step" as MlpActivation },
      message: 'Mlp: activation is "step"; it must be one of relu, tanh, gelu, sigmoid.',
    },
  ])("says: $message", ({ config, message }) => {
    expect(() => new Mlp(config)).toThrow(expect.objectContaining({ code: "E_MODEL_CONFIG", message }));
  });
});
