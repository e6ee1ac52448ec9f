/**
 * Which digit does each pixel belong to? A small U-Net on scenes of several digits, made while it trains: no scene is seen twice.
 *
 * Nine of ten pixels are background, so a pixel of a digit weighs three times as much in the loss. Legend: B batch, S side of a scene, K classes.
 */
import { losses, metrics, optim, schedules, type Tensor } from "@lockstep/core";
import { type Pipeline, stackImages, stackSamples } from "@lockstep/data";
import { Unet } from "@lockstep/models";
import { defineJob } from "@lockstep/worker";
import { digitsFile, readDigits } from "@lockstep-examples/digits-data/digits";
import {
  numHeldOutScenes,
  numMaskClasses,
  type Scene,
  sceneSets,
  usualScenes,
} from "@lockstep-examples/digits-data/scenes";
import * as z from "zod";
import { largestDigits } from "./largest-digit.js";

const config = z.object({
  /** Pixels of a scene's side; divisible by 4, for the U-Net halves it twice. */
  side: z.int().min(12).multipleOf(4).default(usualScenes.side),
  maxDigits: z.int().positive().default(usualScenes.maxDigits),
  /** Standard deviation of the noise; the ink of a digit is at most 0.6 to 1. */
  noise: z.number().nonnegative().default(usualScenes.noise),
  /** Channels of the U-Net at full size. */
  width: z.int().positive().default(16),
  /** Scenes of an epoch, and held-out ones. */
  trainScenes: z.int().positive().default(4096),
  evalScenes: z.int().positive().default(numHeldOutScenes),
  learningRate: z.number().positive().default(5e-3),
  weightDecay: z.number().nonnegative().default(0.01),
});

/** Background 1, each digit 3: whole numbers, so that the weights of micro-batches are too. */
const classWeights = [1, ...Array<number>(numMaskClasses - 1).fill(3)];
/** What mean IoU is the mean over: the digits, of which the background, always found, is none. */
const digitClasses = Array.from({ length: numMaskClasses - 1 }, (_, digit) => digit + 1);

const datasetOf = (scenes: Pipeline<Scene>) =>
  scenes.toDataset((batch) => {
    const { height, width } = batch[0]!.image;
    return {
      x: stackImages(batch.map(({ image }) => image)), // [B, 1, S, S]
      y: stackSamples(
        batch.map(({ mask }) => mask),
        [height, width],
      ), // [B, S, S]
    };
  });

/** Classes last, as the loss takes them: [B, K, S, S] -> [B, S, S, K]. */
const classesLast = (logits: Tensor): Tensor => logits.permute([0, 2, 3, 1]);

export default defineJob({
  name: "segmentation",
  config,
  training: { globalBatchSize: 16, microBatchSize: 4, totalSteps: 1500, evalIntervalSteps: 500, bestMetric: "meanIou" },
  files: () => ({ digits: digitsFile }),
  data: (settings, files) => {
    const scenes = sceneSets(readDigits(files.bytes("digits")), settings);
    return { train: datasetOf(scenes.train), eval: datasetOf(scenes.eval) };
  },
  model: ({ width }) => new Unet({ numClasses: numMaskClasses, depth: 2, width }),
  loss: (model, { x, y }) => losses.crossEntropy(classesLast(model.forward(x)), y, { classWeights }),
  metrics: () => ({
    meanIou: metrics.streaming.iouScore({ labels: digitClasses }),
    inkIou: metrics.streaming.iouScore({ average: "binary" }),
    pixelAccuracy: metrics.streaming.accuracyScore(),
  }),
  evaluate: (model, { x, y }, { meanIou, inkIou, pixelAccuracy }) => {
    const logits = classesLast(model.forward(x));
    const predicted = logits.argMax(-1);
    meanIou.update(y, predicted);
    inkIou.update(y.gt(0).cast("i32"), predicted.gt(0).cast("i32")); // whatever the digit
    pixelAccuracy.update(y, predicted);
    return losses.crossEntropy(logits, y, { classWeights });
  },
  /** Of each scene its largest digit: the scores of its pixels' classes, on average. */
  explain: (model, { x, y }) => {
    const { digits, shares } = largestDigits(y);
    const outputs = (images: Tensor) =>
      model
        .forward(images)
        .narrow(1, 1, numMaskClasses - 1)
        .mul(shares)
        .sum([2, 3]);
    return { kind: "image", inputs: x, outputs, targets: digits };
  },
  optimizer: ({ weightDecay }, model) => new optim.AdamW(model.parameters(), { weightDecay }),
  schedule: ({ learningRate, totalSteps }) => schedules.cosine({ from: learningRate, to: 0, steps: totalSteps }),
});
