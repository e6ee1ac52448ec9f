/**
 * Small images beside a table, read from the job's files, cleaned, split and augmented: everything of the data room that a run may depend on,
 * in milliseconds. `augment: false` leaves the augmentation out.
 */
import { concat, losses, nn, optim, schedules, type Tensor } from "@lockstep/core";
import {
  chain,
  decodeCsv,
  decodeIdx,
  type FloatImage,
  floatImage,
  gaussianNoise,
  LabelEncoder,
  matrixRows,
  OneHotEncoder,
  pipelineOf,
  randomAffine,
  randomCrop,
  SimpleImputer,
  StandardScaler,
  selectColumns,
  stackImages,
  stackSamples,
  type TextColumn,
  trainTestSplit,
} from "@lockstep/data";
import { defineJob, type JobFiles } from "@lockstep/worker";
import * as z from "zod";

interface Sample {
  readonly image: FloatImage;
  readonly features: Float32Array;
  readonly label: number;
}

interface Batch {
  readonly images: Tensor;
  readonly features: Tensor;
  readonly labels: Tensor;
}

class Net extends nn.Module {
  readonly conv = new nn.Conv2d(1, 4, 3, { padding: 1 });
  readonly fc = new nn.Linear(4 * 36 + 3, 2);
  readonly dropout = new nn.Dropout(0.2);

  forward({ images, features }: Batch): Tensor {
    const hidden = this.conv
      .forward(images)
      .relu()
      .reshape([images.shape[0]!, 4 * 36]);
    const both = concat([hidden, features], 1);
    return this.fc.forward(this.dropout.forward(both)); // [B, 147] -> [B, 2]
  }
}

function samplesOf(files: JobFiles): { train: Sample[]; eval: Sample[] } {
  const table = decodeCsv(files.bytes("rows"), { file: "rows.csv" });
  const { shape, values } = decodeIdx(files.bytes("images"), { file: "images.idx" });
  const labels = table.columns.label as readonly string[];
  const codes = new LabelEncoder().fitTransform(labels);
  const filled = new SimpleImputer({ strategy: "median" }).fitTransform(selectColumns(table, ["age"])).table;
  const ages = matrixRows(new StandardScaler().fitTransform(filled));
  const cities = matrixRows(
    new OneHotEncoder().fitTransform((table.columns.city as TextColumn).map((city) => [city!])),
  );
  const [, height, width] = shape as [number, number, number];
  const samples = labels.map((_, i) => ({
    image: floatImage({
      width,
      height,
      channels: 1,
      data: (values as Uint8Array).subarray(i * height * width, (i + 1) * height * width),
    }),
    features: Float32Array.from([...ages[i]!, ...cities[i]!]),
    label: codes[i]!,
  }));
  const split = trainTestSplit(samples.length, { testSize: 6, stratify: labels, seed: 3 });
  const pick = (places: readonly number[]) => places.map((place) => samples[place]!);
  return { train: pick(split.train), eval: pick(split.test) };
}

const collate = (samples: readonly Sample[]): Batch => ({
  images: stackImages(samples.map(({ image }) => image)),
  features: stackSamples(
    samples.map(({ features }) => features),
    [3],
  ),
  labels: stackSamples(
    samples.map(({ label }) => Int32Array.of(label)),
    [],
  ),
});

const change = chain(
  randomAffine({ degrees: 15, translate: [0.1, 0.1], scale: [0.9, 1.1], shear: 5 }),
  randomCrop({ height: 6, width: 6, padding: 1 }),
  gaussianNoise({ std: 0.05 }),
);

export default defineJob({
  name: "augmented",
  config: z.object({ augment: z.boolean().default(true) }),
  training: { globalBatchSize: 12, microBatchSize: 3, totalSteps: 6 },
  files: () => ({ rows: "rows.csv", images: "images.idx" }),
  data: ({ augment }, files) => {
    const { train, eval: held } = samplesOf(files);
    const plain = pipelineOf(train).cache({ maxItems: 8 });
    const changed = plain.augment((sample, draws) => ({ ...sample, image: change(sample.image, draws) }));
    return { train: (augment ? changed : plain).toDataset(collate), eval: pipelineOf(held).toDataset(collate) };
  },
  model: () => new Net(),
  loss: (model, batch) => losses.crossEntropy(model.forward(batch), batch.labels),
  optimizer: (_config, model) => new optim.AdamW(model.parameters(), { weightDecay: 0 }),
  schedule: () => schedules.constant(1e-2),
});
