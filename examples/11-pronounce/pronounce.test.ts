import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { cleanUp, readLines } from "../../tests/e2e/lockstep-process.js";
import { trainWithOneAndThree } from "../../tests/e2e/one-and-three-workers.js";
import {
  letterTokens,
  numPhonemeTokens,
  phonemeTokens,
  pronunciationOf,
  readDictionary,
  splitEntries,
} from "./dictionary.js";

const here = fileURLToPath(new URL(".", import.meta.url));

afterAll(cleanUp);

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

test("forty steps on short words write less than half of the phonemes wrong, to the same bits with one and with three workers", async () => {
  const small = { hiddenDim: 64, embedDim: 32, maxLetters: 7, evalWords: 192, evalIntervalSteps: 0 };
  const rates = { totalSteps: 40, globalBatchSize: 128, learningRate: 0.01, warmupSteps: 5 };
  const { one, three, runOfThree } = await trainWithOneAndThree(here, { ...small, ...rates });
  expect(three.paramsSha256).toBe(one.paramsSha256);
  expect(three.metrics).toEqual(one.metrics);
  expect(three.worldSize).toBe(3);
  const [first] = readLines(runOfThree, "metrics.jsonl");
  expect(Math.abs((first!.loss as number) - Math.log(numPhonemeTokens))).toBeLessThan(0.15); // guessing
  expect(one.metrics.phonemeErrorRate).toBeLessThan(0.5); // 0.430 when this was written
}, 180_000);
