/**
 * What digits teach about clothes: the body of 07-digits, trained on handwriting and frozen, under a new head for Fashion-MNIST. 900 of its
 * images lie beside this file; `--set dataFolder=/usr/share/datasets/fashion-mnist` has them all. `--set task=digits` goes the other way.
 */
import { losses, metrics, optim, schedules } from "@lockstep/core";
import { pipelineOf, resizeImage } from "@lockstep/data";
import { defineJob, type JobFileLocation, type JobFiles } from "@lockstep/worker";
import { type ImageSplit, imageDataset, type LabelledImage } from "@lockstep-examples/digits-data";
import { digitsFile, readDigits } from "@lockstep-examples/digits-data/digits";
import { fashionMnistFolder, readFashionMnist } from "@lockstep-examples/digits-data/fashion-mnist";
import * as z from "zod";
import { firstOfEachClass, numClasses, readFashionSample, sampleFile } from "./fashion-sample.js";
import { bodyFile, loadBody, TransferNet } from "./transfer-net.js";

const config = z.object({
  task: z.enum(["clothes", "digits"]).default("clothes"),
  /** Folder with the four files of Fashion-MNIST; "": the sample beside the job. For clothes. */
  dataFolder: z.string().default(""),
  /** Images of each class to train on, the first of the data; 0: all. */
  imagesPerClass: z.int().nonnegative().default(60),
  /** Safetensors file with a digits network's body; "": random numbers. */
  body: z.string().default(bodyFile),
  /** What is trained: the head on a frozen body, or everything. */
  trained: z.enum(["head", "all"]).default("head"),
  /** Channels of the body's first layer. */
  width: z.int().positive().default(16),
  /** Pixels of a side, to which clothes are brought. */
  side: z.int().min(4).default(14),
  learningRate: z.number().positive().default(5e-3),
  weightDecay: z.number().nonnegative().default(0.02),
});

type Task = z.infer<typeof config>["task"];

function locationOf(task: Task, dataFolder: string): JobFileLocation {
  if (task === "digits") return digitsFile;
  return dataFolder === "" ? sampleFile : fashionMnistFolder(dataFolder);
}

function readImages(files: JobFiles, task: Task, dataFolder: string): ImageSplit {
  if (task === "digits") return readDigits(files.bytes("images"));
  return dataFolder === "" ? readFashionSample(files.bytes("images")) : readFashionMnist(files, "images");
}

export default defineJob({
  name: "transfer",
  config,
  training: {
    globalBatchSize: 64,
    microBatchSize: 16,
    totalSteps: 300,
    evalIntervalSteps: 100,
    bestMetric: "accuracy",
  },
  files: ({ task, dataFolder, body }) => {
    const images: Record<string, JobFileLocation> = { images: locationOf(task, dataFolder) };
    return body === "" ? images : { ...images, body };
  },
  data: ({ task, dataFolder, imagesPerClass, body, side }, files) => {
    const { train, test } = readImages(files, task, dataFolder);
    const shrink = (sample: LabelledImage): LabelledImage =>
      task === "digits" ? sample : { ...sample, image: resizeImage(sample.image, { height: side, width: side }) };
    const samplesOf = (images: readonly LabelledImage[]) => imageDataset(pipelineOf(images).map(shrink));
    return {
      train: samplesOf(imagesPerClass === 0 ? train : firstOfEachClass(train, imagesPerClass)),
      eval: samplesOf(test),
      body: body === "" ? undefined : files.bytes("body"),
    };
  },
  model: ({ width, trained, body: source }, { body }) => {
    const model = new TransferNet({ numClasses, width, isBodyFrozen: trained === "head" });
    if (body !== undefined) loadBody(model, body, source);
    return model;
  },
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
