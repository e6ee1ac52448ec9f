/** Which corner of an image of 6 x 6 pixels is bright? The fifth image shows nothing, and is called a corner all the same. */
import { losses, nn, optim, schedules, type Tensor, tensor } from "@lockstep/core";
import type { SampleRef } from "@lockstep/data";
import { defineJob } from "@lockstep/worker";
import * as z from "zod";

const side = 6;

class Net extends nn.Module {
  readonly fc = new nn.Linear(side * side, 4);
  forward(images: Tensor): Tensor {
    return this.fc.forward(images.reshape([-1, side * side])); // [B, 1, 6, 6] -> [B, 4]
  }
}

function dataset(size: number, hasBlank: boolean) {
  return {
    size,
    batch: (samples: readonly SampleRef[]) => {
      const corners = samples.map(({ index }) => (index * 7) % 4);
      const images = samples.map(({ index }, i) =>
        Array.from({ length: side }, (_, y) =>
          Array.from({ length: side }, (_, x) => {
            const isBright = Number(y >= 3) * 2 + Number(x >= 3) === corners[i] && !(hasBlank && index === 4);
            return isBright ? 1 : 0;
          }),
        ),
      );
      return { x: tensor(images.map((image) => [image])), y: tensor(corners, { dtype: "i32" }) };
    },
  };
}

export default defineJob({
  name: "corners",
  config: z.object({}),
  training: { globalBatchSize: 8, microBatchSize: 4, totalSteps: 30 },
  data: () => ({ train: dataset(16, false), eval: dataset(10, true) }),
  model: () => new Net(),
  loss: (model, { x, y }) => losses.crossEntropy(model.forward(x), y),
  explain: (model, { x, y }) => ({ kind: "image", inputs: x, outputs: (images) => model.forward(images), targets: y }),
  optimizer: (_config, model) => new optim.AdamW(model.parameters()),
  schedule: () => schedules.constant(0.05),
});
