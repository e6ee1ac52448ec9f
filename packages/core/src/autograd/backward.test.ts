import { expect, test } from "vitest";
import {
  createCpuBackend,
  customGrad,
  losses,
  nn,
  noGrad,
  optim,
  scope,
  seedScope,
  type Tensor,
  tensor,
  withBackend,
} from "../index.js";

test("a two-layer network learns XOR", () => {
  const backend = createCpuBackend();
  withBackend(backend, () => {
    const model = seedScope(3, () => new nn.Sequential(new nn.Linear(2, 8), new nn.Tanh(), new nn.Linear(8, 1)));
    const optimizer = new optim.AdamW(model.parameters(), { learningRate: 0.05, weightDecay: 0 });
    const x = tensor([
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ]);
    const y = tensor([[0], [1], [1], [0]]);
    let before = 0;
    let loss = 0;
    for (let step = 0; step < 200; step++) {
      loss = scope(() => {
        const { sum } = losses.mseLoss(model.forward(x), y);
        sum.backward();
        return sum.itemSync();
      });
      optimizer.step();
      optimizer.zeroGrad();
      if (step === 5) before = backend.memory().numBuffers;
    }
    expect(loss).toBeLessThan(1e-3);
    expect(backend.memory().numBuffers).toBe(before);
  });
  backend.dispose();
});
