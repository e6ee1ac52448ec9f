import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readLines, readSummary, runLockstep, type Summary } from "../../tests/e2e/lockstep-process.js";
import {
  letterTokens,
  numPhonemeTokens,
  phonemeTokens,
  pronunciationOf,
  readDictionary,
  splitEntries,
} from "./dictionary.js";

describe("the dictionary", () => {
  const source = ['  "a": "AH0",', '  cat: "K AE1 T",', '  "cat(2)": "K AH0 T",', '  "o\'er": "AO1 R",'].join("\n");

  test("gives words of letters alone, their first pronunciation, without stress", () => {
    expect(readDictionary(source, 5)).toEqual([{ word: "cat", pronunciation: "K AE T" }]);
    expect(() => readDictionary(source, 2)).toThrow(/there is no word of 2 to 2 letters/);
  });

  test("becomes tokens and comes back", () => {
    expect(letterTokens("abz")).toEqual([0, 1, 25]);
    expect(phonemeTokens("AA ZH")).toEqual([2, numPhonemeTokens - 1]);
    expect(pronunciationOf(phonemeTokens("K AE T"))).toBe("K AE T");
    expect(() => phonemeTokens("K QQ")).toThrow('"QQ" in "K QQ" must be one of');
  });

  test("holds out every so many words", () => {
    const entries = Array.from({ length: 45 }, (_, i) => ({ word: `${i}`, pronunciation: "" }));
    const { train, heldOut } = splitEntries(entries, { evalEvery: 20 });
    expect(heldOut.map(({ word }) => word)).toEqual(["19", "39"]);
    expect(train).toHaveLength(43);
  });
});

describe("forty steps on short words, with one worker and with three", () => {
  let folder = "";
  const small = { hiddenDim: 64, embedDim: 32, maxLetters: 7, evalWords: 192, evalIntervalSteps: 0 };
  const rates = { totalSteps: 40, globalBatchSize: 128, learningRate: 0.01, warmupSteps: 5 };
  const settings = Object.entries({ ...small, ...rates }).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
  const outOf = (workers: number) => join(folder, `run-${workers}`);

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "lockstep-11-"));
    const job = fileURLToPath(new URL(".", import.meta.url));
    const runs = [1, 3].map((workers) =>
      runLockstep(["run", job, "--workers", `${workers}`, "--out", outOf(workers), "--quiet", ...settings], {
        limitMs: 240_000,
      }),
    );
    expect((await Promise.all(runs)).map(({ status, stderr }) => `${status} ${stderr}`)).toEqual(["0 ", "0 "]);
  }, 250_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const summaryOf = (workers: number) =>
    readSummary(outOf(workers)) as Summary & { readonly metrics: { readonly phonemeErrorRate: number } };

  test("make the same bits and the same error rate", () => {
    expect(summaryOf(3).paramsSha256).toBe(summaryOf(1).paramsSha256);
    expect(summaryOf(3).metrics).toEqual(summaryOf(1).metrics);
    expect(summaryOf(3).worldSize).toBe(3);
  });

  test("begin near ln(41), the loss of guessing, and write less than half of the phonemes wrong", () => {
    const [first] = readLines(outOf(1), "metrics.jsonl");
    expect(Math.abs((first!.loss as number) - Math.log(numPhonemeTokens))).toBeLessThan(0.15);
    expect(summaryOf(1).metrics.phonemeErrorRate).toBeLessThan(0.5); // seen: 0.43
  });
});
