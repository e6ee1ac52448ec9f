/**
 * One small job for each named architecture: `--set model=NAME`. Data are made of formulas, dropout is on where a model has it.
 */
import { losses, nn, optim, schedules, type Tensor, tensor } from "@lockstep/core";
import type { SampleRef } from "@lockstep/data";
import {
  inBatchSoftmaxLoss,
  Lenet,
  RecurrentClassifier,
  RecurrentSeq2Seq,
  Resnet18,
  type TextInputs,
  TransformerClassifier,
  TransformerSeq2Seq,
  TwoTower,
  Unet,
} from "@lockstep/models";
import { defineJob, type LossSum } from "@lockstep/worker";
import * as z from "zod";

/** A whole number below `limit` that looks random and is the same everywhere. */
function mixed(a: number, b: number, limit: number): number {
  const word = Math.imul(Math.imul(a + 1, 0x9e3779b1) ^ Math.imul(b + 7, 0x85ebca6b), 0xc2b2ae35) >>> 8;
  return word % limit;
}

type Rows = readonly SampleRef[];
const i32 = (samples: Rows, width: number, limit: number) =>
  tensor(
    samples.map(({ index }) => Array.from({ length: width }, (_, i) => mixed(index, i, limit))),
    { dtype: "i32" },
  ); // [B, width]
const classes = (samples: Rows, limit: number) => i32(samples, 1, limit).reshape([-1]);
const lengths = (samples: Rows, longest: number) => samples.map(({ index }) => 1 + mixed(index, 99, longest));
function images(samples: Rows, channels: number, size: number): Tensor {
  const pixels = channels * size * size;
  const values = Float32Array.from({ length: samples.length * pixels }, (_, at) => {
    const { index } = samples[Math.floor(at / pixels)]!;
    return (mixed(index, at % pixels, 256) / 64 - 2) * (1 + (index % 3));
  });
  return tensor(values, { shape: [samples.length, channels, size, size] });
}

/** A model with its loss on the samples of a micro-batch. */
class Trained extends nn.Module {
  readonly model: nn.Module;
  readonly loss: (samples: Rows) => LossSum;

  constructor(model: nn.Module, loss: (samples: Rows) => LossSum) {
    super();
    this.model = model;
    this.loss = loss;
  }
}

/** How to make one. */
function entry<M extends nn.Module>(create: () => M, lossOf: (model: M, samples: Rows) => LossSum): () => Trained {
  return () => {
    const model = create();
    return new Trained(model, (samples) => lossOf(model, samples));
  };
}

type TextModel = nn.Module & { forward(ids: Tensor, inputs?: TextInputs): Tensor };
const textLoss = (model: TextModel, samples: Rows): LossSum =>
  losses.crossEntropy(model.forward(i32(samples, 6, 20), { lengths: lengths(samples, 6) }), classes(samples, 3));
type Translator = nn.Module & { forward(source: Tensor, target: Tensor, inputs?: TextInputs): Tensor };
function translationLoss(model: Translator, samples: Rows): LossSum {
  const target = i32(samples, 5, 12);
  const logits = model.forward(i32(samples, 6, 20), target.narrow(1, 0, 4), { lengths: lengths(samples, 6) });
  return losses.crossEntropy(logits, target.narrow(1, 1, 4));
}

const text = { vocabSize: 20, numClasses: 3, embedDim: 8, dropout: 0.2 };
const recurrent = { ...text, hiddenDim: 12, numLayers: 2, bidirectional: true };
const vocab = { sourceVocabSize: 20, targetVocabSize: 12, embedDim: 8, dropout: 0.2 };
const tower = {
  features: { ids: { numRows: 30, embedDim: 6 }, kind: { numRows: 5, embedDim: 3 } },
  hiddenDims: [10],
  outDim: 4,
};

const entries = {
  lenet: entry(
    () => new Lenet({ imageSize: 16 }),
    (model, samples) => losses.crossEntropy(model.forward(images(samples, 1, 16)), classes(samples, 10)),
  ),
  resnet: entry(
    () => new Resnet18({ width: 4, numClasses: 5, stem: "small" }),
    (model, samples) => losses.crossEntropy(model.forward(images(samples, 3, 8)), classes(samples, 5)),
  ),
  unet: entry(
    () => new Unet({ inChannels: 1, numClasses: 3, depth: 2, width: 4 }),
    (model, samples) => {
      const logits = model.forward(images(samples, 1, 8)).permute([0, 2, 3, 1]); // [B, H, W, classes]
      return losses.crossEntropy(logits, i32(samples, 64, 3).reshape([-1, 8, 8]));
    },
  ),
  lstm: entry(() => new RecurrentClassifier({ ...recurrent, cell: "lstm" }), textLoss),
  gru: entry(() => new RecurrentClassifier({ ...recurrent, cell: "gru" }), textLoss),
  transformer: entry(
    () => new TransformerClassifier({ ...text, seqLen: 6, numHeads: 2, numLayers: 2, positions: "sinusoidal" }),
    textLoss,
  ),
  recurrentSeq2Seq: entry(
    () => new RecurrentSeq2Seq({ ...vocab, hiddenDim: 12, cell: "lstm", attention: "additive" }),
    translationLoss,
  ),
  transformerSeq2Seq: entry(
    () => new TransformerSeq2Seq({ ...vocab, sourceSeqLen: 6, targetSeqLen: 5, numHeads: 2, numLayers: 1 }),
    translationLoss,
  ),
  twoTower: entry(
    () => new TwoTower({ user: tower, item: tower }),
    (model, samples) => {
      const [users, items] = [0, 1000].map((shift) => {
        const moved = samples.map(({ epoch, index }) => ({ epoch, index: index + shift }));
        return { ids: i32(moved, 3, 30), kind: i32(moved, 1, 5) };
      });
      return inBatchSoftmaxLoss(model.user.forward(users!), model.item.forward(items!), { temperature: 0.5 });
    },
  ),
} as const;

const names = Object.keys(entries) as [keyof typeof entries, ...(keyof typeof entries)[]];
/** A sample is its number: the loss makes the data. */
const dataset = (size: number) => ({ size, batch: (samples: Rows) => samples });

export default defineJob({
  name: "models",
  config: z.object({ model: z.enum(names).default("lenet") }),
  training: { globalBatchSize: 20, microBatchSize: 4, totalSteps: 5, maxGradNorm: 1, bucketBytes: 4096 },
  data: () => ({ train: dataset(53), eval: dataset(9) }),
  model: ({ model }) => entries[model](),
  loss: (model, samples) => model.loss(samples),
  optimizer: (_config, model) => new optim.AdamW(model.parameters(), { weightDecay: 0.01 }),
  schedule: () => schedules.constant(0.01),
});
