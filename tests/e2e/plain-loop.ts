/** @file Training as anybody would write it with core alone: one process, one loop, no workers. What L5 compares a run with. */
import { clipGradNorm, type LossSum, microBatchScope, type nn, type optim, treeAccumulator } from "@lockstep/core";

export interface PlainJob {
  readonly model: nn.Module;
  readonly optimizer: optim.Optimizer;
  readonly schedule: (step: number) => number;
  readonly lossOf: (step: number, m: number) => LossSum;
  readonly seed: number;
  readonly totalSteps: number;
  readonly numMicroBatches: number;
  readonly maxGradNorm: number;
}

export function trainPlainly({ model, optimizer, schedule, lossOf, seed, ...sizes }: PlainJob): void {
  for (let step = 0; step < sizes.totalSteps; step++) {
    const tree = treeAccumulator(model, sizes.numMicroBatches);
    for (let m = 0; m < sizes.numMicroBatches; m++) {
      microBatchScope({ seed, step, m }, () => {
        const { sum, weight } = lossOf(step, m);
        sum.backward();
        tree.add(weight);
      });
    }
    tree.assignGradients();
    if (sizes.maxGradNorm > 0) clipGradNorm(model.parameters(), sizes.maxGradNorm);
    optimizer.learningRate = schedule(step);
    optimizer.step();
    optimizer.zeroGrad();
  }
}
