/** @file Entry of a dedicated worker: twenty steps of a small layer on navigator.gpu; posts the loss sums, or what went wrong. */
import { losses, nn, optim, tensor, withBackend } from "@lockstep/core";
import { createWebGpuBackend } from "@lockstep/gpu-backend";

export interface Trained {
  readonly error?: string;
  readonly sums?: readonly number[];
  /** Of the gradient before it was clipped, by step. */
  readonly norms?: readonly number[];
  readonly numericClass?: string;
}

async function train(): Promise<Trained> {
  const backend = await createWebGpuBackend(navigator.gpu, { allowSoftware: true });
  const [sums, norms]: [number[], number[]] = [[], []];
  const layer = withBackend(backend, () => new nn.Linear(3, 2));
  const optimizer = new optim.Sgd(layer.parameters(), { learningRate: 0.5 });
  for (let step = 0; step < 20; step++) {
    const { loss, norm } = withBackend(backend, () => {
      const x = tensor([
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
        [1, 1, 0],
      ]);
      const loss = losses.crossEntropy(layer.forward(x), tensor([0, 1, 0, 1], { dtype: "i32" }));
      loss.sum.backward();
      const before = optim.clipGradNormAsync(layer.parameters(), 1);
      optimizer.step();
      optimizer.zeroGrad();
      return { loss: loss.sum, norm: () => before };
    });
    sums.push(await loss.item());
    norms.push(await norm());
  }
  return { sums, norms, numericClass: backend.numericClass };
}

train().then(
  (trained) => postMessage(trained satisfies Trained),
  (error: unknown) => postMessage({ error: String((error as Error).stack ?? error) } satisfies Trained),
);
