import {
  type Backend,
  losses,
  microBatchScope,
  nextGenerator,
  nn,
  seedScope,
  type Tensor,
  tensor,
  withBackend,
} from "@lockstep/core";
import type { StepRunner, StepRunnerOptions } from "@lockstep/core/backend";
import { expect, test } from "vitest";
import { describeGpu, opening } from "../testing.testkit.js";
import type { WebGpuBackend } from "../webgpu-backend.js";

const numClasses = 7;

class Net extends nn.Module {
  embedding = new nn.Embedding(numClasses, 12);
  hidden = new nn.Linear(12, 40);
  dropout = new nn.Dropout(0.3);
  out = new nn.Linear(40, numClasses);
  forward(ids: Tensor): Tensor {
    return this.out.forward(this.dropout.forward(this.hidden.forward(this.embedding.forward(ids)).gelu()));
  }
}

interface Batch {
  readonly ids: Tensor;
  readonly targets: Tensor;
}

/** Ids and targets of a micro-batch, the first `numIgnored` of which do not count. */
function batchOf(numIgnored = 0, length = 10): Batch {
  const random = nextGenerator();
  const ids = Int32Array.from({ length: 2 * length }, () => random.integer(numClasses));
  const targets = ids.map((id, i) => (i < numIgnored ? -100 : (id + 1) % numClasses));
  return { ids: tensor(ids, { shape: [2, length] }), targets: tensor(targets, { shape: [2, length] }) };
}

interface Trained {
  readonly runner: StepRunner;
  /** Loss, weight and gradients of each step, as text of their bits. */
  readonly steps: readonly string[];
}

type LossOf = (net: Net, batch: Batch, step: number) => { readonly sum: Tensor; readonly weight: number };

const plainLoss: LossOf = (net, { ids, targets }) => losses.crossEntropy(net.forward(ids), targets);

async function train(
  backend: WebGpuBackend,
  numSteps: number,
  options: StepRunnerOptions & { readonly inputOf?: (step: number) => Batch; readonly lossOf?: LossOf } = {},
): Promise<Trained> {
  const { inputOf = () => batchOf(), lossOf = plainLoss } = options;
  const runner = backend.createStepRunner(options);
  const trained = withBackend(backend as Backend, () => {
    const net = seedScope(3, () => new Net());
    const parameters = [...net.parameters()];
    const kept = parameters.map(({ shape }) => tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), { shape }));
    const lossSlot = tensor([0]);
    const { copy } = backend.kernels;
    const steps: Promise<string>[] = [];
    for (let step = 0; step < numSteps; step++) {
      const weight = microBatchScope({ seed: 5, step, m: 1 }, () =>
        runner.run(
          { step, m: 1 },
          {
            input: () => inputOf(step),
            main: (batch) => {
              const loss = lossOf(net, batch, step);
              copy({ ...viewOf(loss.sum), shape: [1], strides: [1] }, lossSlot);
              loss.sum.backward();
              parameters.forEach((parameter, i) => {
                copy(parameter.grad!, kept[i]!);
                parameter.grad!.dispose();
                parameter.grad = undefined;
              });
              return loss.weight;
            },
          },
        ),
      );
      const text = Promise.all([lossSlot, ...kept].map((x) => x.data())).then((all) => {
        return `${weight}|${all.map((values) => bitsOf(values as Float32Array)).join("|")}`;
      });
      text.catch(() => {});
      steps.push(text);
    }
    return { steps };
  });
  return { runner, steps: await Promise.all(trained.steps) };
}

function viewOf({ buffer, offset, shape, strides, dtype }: Tensor) {
  return { buffer, offset, shape, strides, dtype };
}

/** A short text that differs where a bit does. */
function bitsOf(values: Float32Array): string {
  let hash = 0;
  for (const word of new Uint32Array(values.slice().buffer)) hash = (Math.imul(hash, 31) + word) >>> 0;
  return hash.toString(16);
}

describeGpu("recorded steps", () => {
  const open = opening();

  test("a replay gives the bits of the same ops run eagerly, dropout included", async () => {
    const backend = await open();
    const eager = await train(backend, 6, { noRecord: true });
    const replayed = await train(backend, 6);
    expect(replayed.steps).toEqual(eager.steps);
    expect(new Set(eager.steps).size).toBe(6);
    expect(replayed.runner.figures()).toMatchObject({ numEager: 2, numReplayed: 4 });
    expect(eager.runner.figures()).toMatchObject({ numEager: 6, numReplayed: 0 });
  });

  test("the memory plan reuses buffers, and is given back", async () => {
    const backend = await open();
    const { runner } = await train(backend, 4);
    const { plannedBytes, unplannedBytes } = runner.figures();
    expect(plannedBytes).toBeGreaterThan(0);
    expect(plannedBytes).toBeLessThan(0.6 * unplannedBytes);
    const { usedBytes } = backend.memory();
    runner.dispose();
    expect(usedBytes - backend.memory().usedBytes).toBeGreaterThanOrEqual(plannedBytes);
  });

  test("another number of ignored targets runs eagerly, with its own weight", async () => {
    const backend = await open();
    const inputOf = (step: number): Batch => batchOf(step === 4 ? 3 : 1);
    const eager = await train(backend, 7, { noRecord: true, inputOf });
    const replayed = await train(backend, 7, { inputOf });
    expect(replayed.steps).toEqual(eager.steps);
    expect(replayed.steps.map((text) => text.split("|")[0])).toEqual(["19", "19", "19", "19", "17", "19", "19"]);
    expect(replayed.runner.figures()).toMatchObject({ numEager: 3, numReplayed: 4 });
  });

  test("so it does where the loss counts them in a copy of a column", async () => {
    const backend = await open();
    // Position 0 of the second row is in the column that is copied, position 1 of the first is not.
    const ignoring = (...places: number[]): Batch => {
      const { ids, targets } = batchOf();
      const values = Int32Array.from({ length: 20 }, (_, i) => (places.includes(i) ? -100 : i % numClasses));
      backend.write(targets.buffer, 0, values);
      return { ids, targets };
    };
    const inputOf = (step: number): Batch => (step === 3 ? ignoring(10) : step === 5 ? ignoring(1) : ignoring());
    const lossOf: LossOf = (net, { ids, targets }) => {
      const column = targets.slice([null, { start: 0, stop: 1 }]).reshape([2]);
      return losses.crossEntropy(
        net
          .forward(ids)
          .slice([null, { start: 0, stop: 1 }])
          .reshape([2, numClasses]),
        column,
      );
    };
    const eager = await train(backend, 7, { noRecord: true, inputOf, lossOf });
    const replayed = await train(backend, 7, { inputOf, lossOf });
    expect(replayed.steps).toEqual(eager.steps);
    expect(replayed.steps.map((text) => text.split("|")[0])).toEqual(["2", "2", "2", "1", "2", "2", "2"]);
    expect(replayed.runner.figures()).toMatchObject({ numEager: 3, numReplayed: 4 });
  });

  test("each shape has a record of its own", async () => {
    const backend = await open();
    const inputOf = (step: number): Batch => batchOf(0, step % 2 === 0 ? 10 : 6);
    const eager = await train(backend, 9, { noRecord: true, inputOf });
    const replayed = await train(backend, 9, { inputOf });
    expect(replayed.steps).toEqual(eager.steps);
    expect(replayed.runner.figures()).toMatchObject({ numEager: 4, numReplayed: 5 });
  });

  test("a loss that writes numbers of its own is not replayed, and a notice says so once", async () => {
    const backend = await open();
    const notices: string[] = [];
    const lossOf: LossOf = (net, batch) => {
      const { sum, weight } = plainLoss(net, batch, 0);
      return { sum: sum.mul(tensor([nextGenerator().integer(1000) / 1000]).sum()), weight };
    };
    const eager = await train(backend, 5, { noRecord: true, lossOf });
    const recorded = await train(backend, 5, { lossOf, onNotice: (line) => notices.push(line) });
    expect(recorded.steps).toEqual(eager.steps);
    expect(recorded.runner.figures()).toMatchObject({ numEager: 5, numReplayed: 0 });
    expect(notices).toEqual([expect.stringMatching(/numbers that the loss writes itself differ/)]);
  });

  test("L6 a loss that changes after it was recorded is found by the next comparison", async () => {
    const backend = await open();
    const lossOf: LossOf = (net, batch, step) => {
      const { sum, weight } = plainLoss(net, batch, 0);
      return { sum: step < 4 ? sum : sum.mul(2), weight };
    };
    const training = async () => await train(backend, 9, { lossOf, checkInterval: 5 });
    await expect(training()).rejects.toMatchObject({ code: "E_REPLAY" });
    await expect(training()).rejects.toThrowError(/The last 5 replays may not be/);
  });

  test("comparisons that agree change nothing", async () => {
    const backend = await open();
    const eager = await train(backend, 12, { noRecord: true });
    const replayed = await train(backend, 12, { checkInterval: 3 });
    expect(replayed.steps).toEqual(eager.steps);
    expect(replayed.runner.figures()).toMatchObject({ numEager: 4, numReplayed: 8 });
  });

  test("an index out of range is refused in a replay too", async () => {
    const backend = await open();
    const inputOf = (step: number): Batch => {
      const { ids, targets } = batchOf();
      if (step === 3) backend.write(targets.buffer, 0, new Int32Array(20).fill(9));
      return { ids, targets };
    };
    await expect((async () => await train(backend, 5, { inputOf }))()).rejects.toMatchObject({
      code: "E_TARGET_RANGE",
    });
  });
});
