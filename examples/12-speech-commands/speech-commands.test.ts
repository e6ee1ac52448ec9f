import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { encodeWav } from "@lockstep/data";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readSummary, runLockstep, type Summary } from "../../tests/e2e/lockstep-process.js";
import { decibelRange, logMelsOfWav, numFrames, numMels } from "./log-mels.js";
import { drawRenderings, say } from "./make-sounds.js";
import { drawSounds, soundAt } from "./sound-picture.js";
import { soundsOfFiles, soundsOfPicture, splitByVoice } from "./sounds.js";
import { heldOutVoices, trainVoices, words } from "./voices.js";

const beside = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const committed = () => soundsOfPicture(readFileSync(beside("log-mels.png")), readFileSync(beside("renderings.csv")));

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

  test("of espeak-ng 1.51, where it is installed, are those that lie beside the job", () => {
    if (!(spawnSync("espeak-ng", ["--version"], { encoding: "utf8" }).stdout ?? "").includes(" 1.51 ")) return;
    const folder = mkdtempSync(join(tmpdir(), "lockstep-sounds-"));
    try {
      const [rendering] = drawRenderings(2, 12);
      const sounds = [0, 9].map((word) => {
        const file = say(words[word]!, rendering!, folder);
        return logMelsOfWav(readFileSync(file), file);
      });
      expect(sounds).toEqual([committed()[0]!.logMels, committed()[9]!.logMels]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("sixty steps of a narrow network, with one worker and with three", () => {
  let folder = "";
  const small = { width: 8, totalSteps: 60, globalBatchSize: 48, evalIntervalSteps: 0, learningRate: 0.006 };
  const settings = Object.entries(small).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
  const outOf = (workers: number) => join(folder, `run-${workers}`);

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "lockstep-12-"));
    const runs = [1, 3].map((workers) =>
      runLockstep(["run", beside("."), "--workers", `${workers}`, "--out", outOf(workers), "--quiet", ...settings], {
        limitMs: 240_000,
      }),
    );
    expect((await Promise.all(runs)).map(({ status, stderr }) => `${status} ${stderr}`)).toEqual(["0 ", "0 "]);
  }, 250_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const summaryOf = (workers: number) =>
    readSummary(outOf(workers)) as Summary & { readonly metrics: { readonly accuracy: number } };

  test("make the same bits and the same accuracy", () => {
    expect(summaryOf(3).paramsSha256).toBe(summaryOf(1).paramsSha256);
    expect(summaryOf(3).metrics).toEqual(summaryOf(1).metrics);
    expect(summaryOf(3).worldSize).toBe(3);
  });

  test("know two of three words of voices that they never heard", () => {
    expect(summaryOf(1).metrics.accuracy).toBeGreaterThan(0.667);
  });
});
