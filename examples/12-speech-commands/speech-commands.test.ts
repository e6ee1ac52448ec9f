import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { encodeWav } from "@lockstep/data";
import { afterAll, describe, expect, test } from "vitest";
import { cleanUp, temporaryFolder } from "../../tests/e2e/lockstep-process.js";
import { trainWithOneAndThree } from "../../tests/e2e/one-and-three-workers.js";
import { decibelRange, logMelsOfWav, numFrames, numMels } from "./log-mels.js";
import { drawRenderings, say } from "./make-sounds.js";
import { drawSounds, soundAt } from "./sound-picture.js";
import { soundsOfFiles, soundsOfPicture, splitByVoice } from "./sounds.js";
import { heldOutVoices, trainVoices, words } from "./voices.js";

const beside = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const committed = () => soundsOfPicture(readFileSync(beside("log-mels.png")), readFileSync(beside("renderings.csv")));

afterAll(cleanUp);

/** A tone that stops after 0.4 s. */
function tone(hertz: number): Uint8Array {
  const sampleRate = 22050;
  const samples = Float32Array.from({ length: 0.4 * sampleRate }, (_, i) =>
    Math.sin((2 * Math.PI * hertz * i) / sampleRate),
  );
  return encodeWav({ sampleRate, channels: [samples] });
}

describe("the sounds", () => {
  test("are loudest in the mel of their tone, and silent after their end", () => {
    const loudestMelOf = (hertz: number) => {
      const { values } = logMelsOfWav(tone(hertz), "tone.wav");
      const column = Array.from({ length: numMels }, (_, mel) => values[mel * numFrames + 10]!);
      expect(Math.max(...column)).toBe(decibelRange);
      expect(Array.from({ length: numMels }, (_, mel) => values[mel * numFrames + 30]!)).toEqual(
        Array(numMels).fill(0),
      );
      return column.indexOf(decibelRange);
    };
    // 24 triangles from 60 to 8000 Hz: their middles are 109.7 mels apart, the first at 201.8.
    expect([300, 1000, 3000].map(loudestMelOf)).toEqual([2, 7, 15]);
  });

  test("go into the picture and come back", () => {
    const rows = [200, 900].map((hertz) => [hertz, 2 * hertz].map((f) => logMelsOfWav(tone(f), "tone.wav")));
    const picture = drawSounds(rows);
    expect([picture.width, picture.height]).toEqual([2 * numFrames, 2 * numMels]);
    expect([soundAt(picture, 0, 1), soundAt(picture, 1, 0)]).toEqual([rows[0]![1], rows[1]![0]]);
  });

  test("of a voice are trained on or held out, never both", () => {
    expect(heldOutVoices.filter((voice) => trainVoices.includes(voice))).toEqual([]);
    const { train, heldOut } = splitByVoice(committed());
    expect([train.length, heldOut.length]).toEqual([800, 280]);
    const voicesOf = (sounds: typeof train) => [...new Set(sounds.map(({ voice }) => voice))];
    expect(voicesOf(train)).toEqual(trainVoices);
    expect(voicesOf(heldOut)).toEqual(heldOutVoices);
    expect(heldOut.filter(({ word }) => word === 3)).toHaveLength(28);
  });

  test("say which file or voice has no place", () => {
    const file = (path: string) => ({ path, bytes: () => tone(500), text: () => "" });
    expect(soundsOfFiles([file("no_m1_en-us_150_50.wav")])[0]).toMatchObject({ word: 1, voice: "m1" });
    expect(() => soundsOfFiles([file("hello_m1.wav")])).toThrow(
      'begins with "hello"; it must begin with one of yes, no',
    );
    expect(() => splitByVoice(soundsOfFiles([file("no_me_en-us.wav")]))).toThrow('the voice "me" is on neither list');
  });

  // Other versions say the words a little differently.
  const version = spawnSync("espeak-ng", ["--version"], { encoding: "utf8" }).stdout ?? "";
  test.skipIf(!version.includes(" 1.51 "))("of espeak-ng 1.51 are those that lie beside the job", () => {
    const folder = temporaryFolder();
    const [rendering] = drawRenderings(2, 12);
    const sounds = [0, 9].map((word) => {
      const file = say(words[word]!, rendering!, folder);
      return logMelsOfWav(readFileSync(file), file);
    });
    expect(sounds).toEqual([committed()[0]!.logMels, committed()[9]!.logMels]);
  });
});

test("sixty steps of a narrow network know two of three words of unheard voices, to the same bits with one and with three workers", async () => {
  const small = { width: 8, totalSteps: 60, globalBatchSize: 48, evalIntervalSteps: 0, learningRate: 0.006 };
  const { one, three } = await trainWithOneAndThree(beside("."), small);
  expect(three.paramsSha256).toBe(one.paramsSha256);
  expect(three.metrics).toEqual(one.metrics);
  expect(three.worldSize).toBe(3);
  expect(one.metrics.accuracy).toBeGreaterThan(0.667); // 0.793 when this was written
}, 180_000);
