/**
 * Where are which digits? A detector of one stage on scenes of several digits, made while it trains: no scene is seen twice.
 *
 * Boxes go around the ink. Legend: B batch, S side of a scene, G cells of a side, K digits.
 */
import { metrics, optim, schedules, type Tensor, tensor } from "@lockstep/core";
import { type Dataset, type Pipeline, stackImages, stackSamples } from "@lockstep/data";
import { defineJob } from "@lockstep/worker";
import { digitsFile, readDigits } from "@lockstep-examples/digits-data/digits";
import { numHeldOutScenes, type Scene, sceneSets, usualScenes } from "@lockstep-examples/digits-data/scenes";
import * as z from "zod";
import { CentreNet, type CentreNetAnswer, centreLoss } from "./centre-net.js";
import { type CentreTargets, cellSide, decodeCentres, encodeCentres, numBoxNumbers } from "./centres.js";

const config = z.object({
  /** Pixels of a scene's side. */
  side: z.int().min(12).multipleOf(cellSide).default(usualScenes.side),
  maxDigits: z.int().positive().default(usualScenes.maxDigits),
  /** Standard deviation of the noise; the ink of a digit is at most 0.6 to 1. */
  noise: z.number().nonnegative().default(usualScenes.noise),
  /** Channels of the first layer. */
  width: z.int().positive().default(16),
  /** Scenes of an epoch, and held-out ones. */
  trainScenes: z.int().positive().default(4096),
  evalScenes: z.int().positive().default(numHeldOutScenes),
  learningRate: z.number().positive().default(5e-3),
  weightDecay: z.number().nonnegative().default(0.02),
});

type SceneBatch = ReturnType<typeof collate>;

function collate(scenes: readonly Scene[]) {
  const side = scenes[0]!.image.width;
  const G = side / cellSide;
  const all = scenes.map(({ objects }) => encodeCentres(objects, side));
  const stacked = (name: keyof CentreTargets, channels: readonly number[]) =>
    stackSamples(
      all.map((targets) => targets[name]),
      [...channels, G, G],
    );
  return {
    x: stackImages(scenes.map(({ image }) => image)), // [B, 1, S, S]
    targets: {
      heat: stacked("heat", [1]),
      labels: stacked("labels", []),
      boxes: stacked("boxes", [numBoxNumbers]),
      isCentre: stacked("isCentre", [1]),
    },
    objects: scenes.map(({ objects }) => objects),
  };
}

const datasetOf = (scenes: Pipeline<Scene>): Dataset<SceneBatch> => scenes.toDataset(collate);

/** What was found in each scene. */
function detect({ heat, classes, boxes }: CentreNetAnswer): metrics.BoxPredictions[] {
  const all = { heat: heat.sigmoid(), classes: classes.softmax(1), boxes };
  return Array.from({ length: boxes.shape[0]! }, (_, scene) => {
    const own = (tensor: Tensor) => tensor.select(0, scene).dataSync();
    return decodeCentres({ heat: own(all.heat), classes: own(all.classes), boxes: own(all.boxes) });
  });
}

export default defineJob({
  name: "detection",
  config,
  training: { globalBatchSize: 24, microBatchSize: 6, totalSteps: 800, evalIntervalSteps: 200, bestMetric: "map50" },
  files: () => ({ digits: digitsFile }),
  data: (settings, files) => {
    const scenes = sceneSets(readDigits(files.bytes("digits")), settings);
    return { train: datasetOf(scenes.train), eval: datasetOf(scenes.eval) };
  },
  model: ({ width }) => new CentreNet({ width }),
  loss: (model, { x, targets }) => centreLoss(model.forward(x), targets),
  metrics: () => ({
    map50: metrics.streaming.meanAveragePrecision({ iouThresholds: [0.5] }),
    map50to95: metrics.streaming.meanAveragePrecision(),
  }),
  evaluate: (model, batch, { map50, map50to95 }) => {
    const answer = model.forward(batch.x);
    const found = detect(answer);
    const targets = batch.objects.map((objects) => ({
      boxes: objects.map(({ box }) => [...box]),
      labels: objects.map(({ label }) => label),
    }));
    map50.update(targets, found);
    map50to95.update(targets, found);
    return centreLoss(answer, batch.targets);
  },
  /** Of each scene its first digit: the scores of the cell where its middle is. */
  explain: (model, { x, objects }) => {
    const firsts = objects.map(([first]) => first!);
    const side = x.shape[2]!;
    const cells = firsts.map((first) => encodeCentres([first], side).isCentre);
    const isCentre = stackSamples(cells, [1, side / cellSide, side / cellSide]);
    return {
      kind: "image",
      inputs: x,
      outputs: (images) => model.forward(images).classes.mul(isCentre).sum([2, 3]),
      targets: tensor(Int32Array.from(firsts, ({ label }) => label)),
    };
  },
  optimizer: ({ weightDecay }, model) => new optim.AdamW(model.parameters(), { weightDecay }),
  schedule: ({ learningRate, totalSteps }) => schedules.cosine({ from: learningRate, to: 0, steps: totalSteps }),
});
