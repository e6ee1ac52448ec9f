/** @file What the hashes and finite checks of a step cost, beside the step itself: gpt-small, M = 4, one worker. */
import {
  type Backend,
  Generator,
  keep,
  scope,
  seedScope,
  stateHash,
  type TensorView,
  tensor,
  untracked,
  withBackend,
} from "@lockstep/core";
import { Gpt, gptConfig } from "@lockstep/models";

/**
 * Milliseconds of what L2 and L6 add to a step of `numMicroBatches`: a finite check of each micro-batch's gradient and of the sum, a hash
 * of the reduced gradient, a hash of parameters and both AdamW moments.
 */
export function checkCostMs(backend: Backend, numMicroBatches: number, nowMs: () => number): number {
  return withBackend(backend, () =>
    untracked(() =>
      scope(() => {
        const model = seedScope(1, () => keep(new Gpt(gptConfig("gpt-small"))));
        const parameters: TensorView[] = [...model.parameters()];
        const length = parameters.reduce((total, { shape }) => total + shape.reduce((n, size) => n * size, 1), 0);
        const values = new Float32Array(length);
        new Generator(5).fillNormal(values);
        const [gradient, first, second] = [tensor(values), tensor(values), tensor(values)];
        const { kernels } = backend;
        const check = (): void => {
          for (let m = 0; m <= numMicroBatches; m++) kernels.findNonFinite(gradient);
          kernels.hash([gradient]);
          stateHash(backend, { parameters, buffers: [], optimizer: [first, second], counters: "{}" });
        };
        check();
        const startMs = nowMs();
        const rounds = 20;
        for (let i = 0; i < rounds; i++) check();
        return (nowMs() - startMs) / rounds;
      }),
    ),
  );
}
