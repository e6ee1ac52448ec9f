/** @file The sounds of the job, from the picture that lies beside it or from WAV files. Legend: B batch, M mels, N frames. */
import { type Tensor, ValueError } from "@lockstep/core";
import {
  type Augmentation,
  type Dataset,
  decodeCsv,
  decodePng,
  type Pipeline,
  type Spectrogram,
  stackSamples,
} from "@lockstep/data";
import type { JobFile } from "@lockstep/worker";
import { decibelRange, logMelsOfWav, numFrames, numMels } from "./log-mels.js";
import { soundAt } from "./sound-picture.js";
import { heldOutVoices, trainVoices, words } from "./voices.js";

export interface Sound {
  readonly logMels: Spectrogram;
  /** Place in `words`. */
  readonly word: number;
  readonly voice: string;
}

export interface SoundBatch {
  /** [B, 1, M, N], in [-1, 1] */
  readonly x: Tensor;
  /** [B], i32 */
  readonly y: Tensor;
}

/** All sounds of log-mels.png, whose rows renderings.csv describes. */
export function soundsOfPicture(picture: Uint8Array, renderings: Uint8Array): Sound[] {
  const image = decodePng(picture, { file: "log-mels.png" });
  const { columns } = decodeCsv(renderings, { file: "renderings.csv" });
  const voices = columns.voice as readonly string[];
  return voices.flatMap((voice, row) => words.map((_, word) => ({ logMels: soundAt(image, row, word), word, voice })));
}

/**
 * Sounds of WAV files named WORD_VOICE_..., in the order of their names.
 *
 * @throws {ValueError} E_VALUE for a name that does not begin with one of the words. {FormatError} E_FILE_FORMAT for what is no WAV file.
 */
export function soundsOfFiles(files: readonly JobFile[]): Sound[] {
  return files.map((file) => {
    const [name = "", voice = ""] = file.path.split("_");
    const word = words.indexOf(name);
    if (word < 0) {
      throw new ValueError(
        `soundsOfFiles: "${file.path}" begins with "${name}"; it must begin with one of ${words.join(", ")} and "_".`,
        { path: file.path },
      );
    }
    return { logMels: logMelsOfWav(file.bytes(), file.path), word, voice };
  });
}

/**
 * Sounds of the voices that are trained on, and of those that are not.
 *
 * @throws {ValueError} E_VALUE for a voice that is on neither list.
 */
export function splitByVoice(sounds: readonly Sound[]): { train: Sound[]; heldOut: Sound[] } {
  const stranger = sounds.find(({ voice }) => !trainVoices.includes(voice) && !heldOutVoices.includes(voice));
  if (stranger !== undefined) {
    throw new ValueError(
      `splitByVoice: the voice "${stranger.voice}" is on neither list of voices.ts; it must be on one. Add it.`,
      { voice: stranger.voice },
    );
  }
  return {
    train: sounds.filter(({ voice }) => trainVoices.includes(voice)),
    heldOut: sounds.filter(({ voice }) => heldOutVoices.includes(voice)),
  };
}

/** Changes what is heard and keeps the word. */
export function augmentSound(change: Augmentation<Spectrogram>): Augmentation<Sound> {
  return (sound, draws) => ({ ...sound, logMels: change(sound.logMels, draws) });
}

export function soundDataset(sounds: Pipeline<Sound>): Dataset<SoundBatch> {
  const half = decibelRange / 2;
  return sounds.toDataset((values) => ({
    x: stackSamples(
      values.map(({ logMels }) => Float32Array.from(logMels.values, (value) => value / half - 1)),
      [1, numMels, numFrames],
    ),
    y: stackSamples(
      values.map(({ word }) => Int32Array.of(word)),
      [],
    ),
  }));
}
