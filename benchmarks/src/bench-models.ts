/**
 * @file The models that benchmarks train, the plain loop that trains them, and their names in the PyTorch peer.
 *
 * One thread, random tokens, AdamW, gradients clipped at norm 1. "M = 4" computes the same batch in four micro-batches.
 */
import {
  type Backend,
  clipGradNorm,
  Generator,
  keep,
  losses,
  microBatchScope,
  type nn,
  optim,
  scope,
  seedScope,
  type Tensor,
  tensor,
  treeAccumulator,
  untracked,
  withBackend,
} from "@lockstep/core";
import { Gpt, type GptName, gptConfig, Lenet, Mlp, RecurrentClassifier } from "@lockstep/models";

export const workNames = ["gpt-small", "gpt-big", "mlp", "lenet", "lstm"] as const;
export type WorkName = (typeof workNames)[number];

/** Samples of a step. */
const batchSize: Readonly<Record<WorkName, number>> = { "gpt-small": 16, "gpt-big": 4, mlp: 64, lenet: 64, lstm: 32 };

export interface Work {
  /** One whole optimizer step. */
  step(): void;
  /** What a step counts for in the figure: tokens, images, sequences, or 1 for steps. */
  readonly unitsPerStep: number;
  readonly unit: "tokens/s" | "steps/s" | "images/s" | "sequences/s";
}

type LossOf = (m: number) => { readonly sum: Tensor; readonly weight: number };

/** A model with its batch of `samples`, ready to train on `backend`; the batch is cut into `numMicroBatches`. */
export function createWork(backend: Backend, name: WorkName, numMicroBatches: number, samples = batchSize[name]): Work {
  const create = () => {
    if (name === "mlp" || name === "lenet") return imageWork(name, numMicroBatches, samples);
    if (name === "lstm") return lstmWork(numMicroBatches, samples);
    return gptWork(name, numMicroBatches, samples);
  };
  return withBackend(backend, () => untracked(() => seedScope(1, create)));
}

function gptWork(name: GptName & WorkName, numMicroBatches: number, samples: number): Work {
  const config = gptConfig(name);
  const model = new Gpt(config);
  const rows = samples / numMicroBatches;
  const random = new Generator(3);
  const ids = () =>
    tensor(
      Int32Array.from({ length: rows * config.seqLen }, () => random.integer(config.vocabSize)),
      {
        shape: [rows, config.seqLen],
      },
    );
  const batches = Array.from({ length: numMicroBatches }, () => keep({ inputs: ids(), targets: ids() }));
  const lossOf: LossOf = (m) => losses.crossEntropy(model.forward(batches[m]!.inputs), batches[m]!.targets);
  return { ...trainer(model, lossOf, numMicroBatches), unitsPerStep: samples * config.seqLen, unit: "tokens/s" };
}

/** Random images of 28 x 28: as rows for the MLP. */
function imageWork(name: "mlp" | "lenet", numMicroBatches: number, samples: number): Work {
  const model = name === "mlp" ? new Mlp({ dims: [784, 128, 10], activation: "relu" }) : new Lenet();
  const rows = samples / numMicroBatches;
  const shape = name === "mlp" ? [rows, 784] : [rows, 1, 28, 28];
  const random = new Generator(3);
  const batches = Array.from({ length: numMicroBatches }, () => {
    const values = new Float32Array(rows * 784);
    random.fillNormal(values);
    const targets = Int32Array.from({ length: rows }, () => random.integer(10));
    return keep({ inputs: tensor(values, { shape }), targets: tensor(targets) });
  });
  const lossOf: LossOf = (m) => losses.crossEntropy(model.forward(batches[m]!.inputs), batches[m]!.targets);
  const counts = name === "mlp" ? { unitsPerStep: 1, unit: "steps/s" } : { unitsPerStep: samples, unit: "images/s" };
  return { ...trainer(model, lossOf, numMicroBatches), ...(counts as Pick<Work, "unit" | "unitsPerStep">) };
}

/** A text classifier: embed 64, hidden 128, texts of 64 tokens. */
function lstmWork(numMicroBatches: number, samples: number): Work {
  const [vocabSize, numClasses, seqLen] = [1000, 4, 64];
  const model = new RecurrentClassifier({ vocabSize, numClasses, embedDim: 64, hiddenDim: 128 });
  const rows = samples / numMicroBatches;
  const random = new Generator(3);
  const integers = (count: number, limit: number) => Int32Array.from({ length: count }, () => random.integer(limit));
  const batches = Array.from({ length: numMicroBatches }, () =>
    keep({
      inputs: tensor(integers(rows * seqLen, vocabSize), { shape: [rows, seqLen] }),
      targets: tensor(integers(rows, numClasses)),
    }),
  );
  const lossOf: LossOf = (m) => losses.crossEntropy(model.forward(batches[m]!.inputs), batches[m]!.targets);
  return { ...trainer(model, lossOf, numMicroBatches), unitsPerStep: samples, unit: "sequences/s" };
}

function trainer(model: nn.Module, lossOf: LossOf, numMicroBatches: number): Pick<Work, "step"> {
  const optimizer = new optim.AdamW(model.parameters(), { learningRate: 1e-3 });
  let step = 0;
  const runStep = (): void => {
    const tree = treeAccumulator(model, numMicroBatches);
    for (let m = 0; m < numMicroBatches; m++) {
      microBatchScope({ seed: 1, step, m }, () => {
        const { sum, weight } = lossOf(m);
        sum.backward();
        tree.add(weight);
      });
    }
    tree.assignGradients();
    clipGradNorm(model.parameters(), 1);
    optimizer.step();
    optimizer.zeroGrad();
    step++;
  };
  return { step: () => scope(runStep) };
}
