/**
 * Which of ten words is it? A small convolutional network on log-mel spectrograms of espeak-ng's voices, with SpecAugment, measured on voices
 * it never heard. The spectrograms lie beside this file; WAV files of `npm run sounds -- FOLDER` are read by `--set soundsFolder=FOLDER`.
 */
import { losses, metrics, optim, schedules } from "@lockstep/core";
import { pipelineOf, specAugment } from "@lockstep/data";
import { defineJob } from "@lockstep/worker";
import * as z from "zod";
import { augmentSound, soundDataset, soundsOfFiles, soundsOfPicture, splitByVoice } from "./sounds.js";
import { SpeechCnn } from "./speech-cnn.js";
import { words } from "./voices.js";

const config = z.object({
  /** Folder with WAV files; "": the spectrograms beside the job. */
  soundsFolder: z.string().default(""),
  /** Channels of the first layer. */
  width: z.int().positive().default(16),
  dropout: z.number().min(0).max(0.9).default(0.2),
  /** Widest masks of SpecAugment, in mels and in frames; 0: none. */
  maxMelMask: z.int().nonnegative().default(5),
  maxTimeMask: z.int().nonnegative().default(8),
  learningRate: z.number().positive().default(4e-3),
  weightDecay: z.number().nonnegative().default(0.02),
});

export default defineJob({
  name: "speech-commands",
  config,
  training: {
    globalBatchSize: 64,
    microBatchSize: 16,
    totalSteps: 400,
    evalIntervalSteps: 100,
    bestMetric: "accuracy",
  },
  files: ({ soundsFolder }): Record<string, string> =>
    soundsFolder === "" ? { picture: "log-mels.png", renderings: "renderings.csv" } : { sounds: soundsFolder },
  data: ({ soundsFolder, maxMelMask, maxTimeMask }, files) => {
    const { train, heldOut } = splitByVoice(
      soundsFolder === ""
        ? soundsOfPicture(files.bytes("picture"), files.bytes("renderings"))
        : soundsOfFiles(files.list("sounds")),
    );
    const augment = specAugment({ maxFrequencyWidth: maxMelMask, maxTimeWidth: maxTimeMask });
    return {
      train: soundDataset(pipelineOf(train).augment(augmentSound(augment))),
      eval: soundDataset(pipelineOf(heldOut)),
    };
  },
  model: ({ width, dropout }) => new SpeechCnn({ numClasses: words.length, width, dropout }),
  loss: (model, { x, y }) => losses.crossEntropy(model.forward(x), y),
  metrics: () => ({ accuracy: metrics.streaming.accuracyScore() }),
  evaluate: (model, { x, y }, { accuracy }) => {
    const logits = model.forward(x);
    accuracy.update(y, logits.argMax(1));
    return losses.crossEntropy(logits, y);
  },
  optimizer: ({ weightDecay }, model) => new optim.AdamW(model.parameters(), { weightDecay }),
  schedule: ({ learningRate, totalSteps }) => schedules.cosine({ from: learningRate, to: 0, steps: totalSteps }),
});
