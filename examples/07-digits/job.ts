/**
 * Which digit is it? A small convolutional network on the 8 x 8 digits that scikit-learn ships, or LeNet on Fashion-MNIST:
 * `--set dataset=fashion-mnist --set dataFolder=/usr/share/datasets/fashion-mnist`.
 */
import { losses, metrics, type nn, optim, schedules, type Tensor } from "@lockstep/core";
import { pipelineOf, randomAffine, randomHorizontalFlip } from "@lockstep/data";
import { Lenet } from "@lockstep/models";
import { defineJob, type JobFileLocation } from "@lockstep/worker";
import { augmentImage, imageDataset } from "@lockstep-examples/digits-data";
import { digitsFile, readDigits } from "@lockstep-examples/digits-data/digits";
import { fashionMnistFolder, readFashionMnist } from "@lockstep-examples/digits-data/fashion-mnist";
import * as z from "zod";
import { DigitsCnn } from "./digits-cnn.js";

const config = z.object({
  dataset: z.enum(["digits", "fashion-mnist"]).default("digits"),
  /** Folder with the four files of Fashion-MNIST. */
  dataFolder: z.string().default(""),
  /** Channels of the first layer of the digits' network. */
  width: z.int().positive().default(16),
  dropout: z.number().min(0).max(0.9).default(0.2),
  augment: z.boolean().default(true),
  learningRate: z.number().positive().default(5e-3),
  weightDecay: z.number().nonnegative().default(0.02),
});

/** What turns one image into another of the same class. A digit may lean, but must not be mirrored; a shoe may. */
const augmentations = {
  digits: randomAffine({ degrees: 10, translate: [0.08, 0.08], scale: [0.9, 1.1], shear: 10 }),
  "fashion-mnist": randomHorizontalFlip(),
};

/** What both networks are. */
type ImageClassifier = nn.Module & { forward(x: Tensor): Tensor };

export default defineJob({
  name: "digits",
  config,
  training: {
    globalBatchSize: 64,
    microBatchSize: 16,
    totalSteps: 400,
    evalIntervalSteps: 100,
    bestMetric: "accuracy",
  },
  files: ({ dataset, dataFolder }): Record<string, JobFileLocation> =>
    dataset === "digits" ? { digits: digitsFile } : { fashionMnist: fashionMnistFolder(dataFolder) },
  data: ({ dataset, augment }, files) => {
    const { train, test } =
      dataset === "digits" ? readDigits(files.bytes("digits")) : readFashionMnist(files, "fashionMnist");
    const samples = pipelineOf(train);
    return {
      train: imageDataset(augment ? samples.augment(augmentImage(augmentations[dataset])) : samples),
      eval: imageDataset(pipelineOf(test)),
    };
  },
  model: ({ dataset, width, dropout }): ImageClassifier =>
    dataset === "digits" ? new DigitsCnn({ numClasses: 10, width, dropout }) : new Lenet(),
  loss: (model, { x, y }) => losses.crossEntropy(model.forward(x), y),
  metrics: () => ({ accuracy: metrics.streaming.accuracyScore() }),
  evaluate: (model, { x, y }, { accuracy }) => {
    const logits = model.forward(x);
    accuracy.update(y, logits.argMax(1));
    return losses.crossEntropy(logits, y);
  },
  explain: (model, { x, y }) => ({ kind: "image", inputs: x, outputs: (images) => model.forward(images), targets: y }),
  optimizer: ({ weightDecay }, model) => new optim.AdamW(model.parameters(), { weightDecay }),
  schedule: ({ learningRate, totalSteps }) => schedules.cosine({ from: learningRate, to: 0, steps: totalSteps }),
});
