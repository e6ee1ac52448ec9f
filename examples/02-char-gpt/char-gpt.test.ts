import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readLines, readSummary, runLockstep } from "../../tests/e2e/lockstep-process.js";
import { textData } from "./job.js";
import { alphabet, cleanText } from "./text.js";

describe("the text", () => {
  test("is brought into the alphabet: quotes and dashes plain, accents off, the rest out", () => {
    expect(cleanText("“Ça”—it’s 5\u00a0° …\u0002ok")).toBe('"Ca"--it\'s 5  ...ok');
    expect(new Set(alphabet).size).toBe(alphabet.length);
  });

  test("holds out every twentieth document, and nothing of it is trained on", () => {
    const documents = Array.from({ length: 40 }, (_, i) => (i % 20 === 19 ? "held out. " : "trained on. ").repeat(50));
    const { train, eval: heldOut, tokenizer } = textData(documents, { seqLen: 16, evalSamples: 5 });
    const textOf = (data: typeof train, index: number) => tokenizer.decode(data.window({ epoch: 0, index }));
    expect(heldOut.size).toBe(5);
    for (let index = 0; index < train.size; index++) expect(textOf(train, index)).not.toMatch(/held/);
  });
});

describe("twenty steps with two workers", () => {
  let folder = "";
  let out = "";
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "lockstep-02-"));
    out = join(folder, "run");
    const job = fileURLToPath(new URL(".", import.meta.url));
    const { status, stderr } = await runLockstep([
      "run",
      job,
      "--workers",
      "2",
      "--steps",
      "20",
      "--out",
      out,
      "--quiet",
    ]);
    expect(`${status} ${stderr}`).toBe("0 ");
  }, 180_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("begin near ln(84), the loss of guessing, and fall by more than one nat", () => {
    const losses = readLines(out, "metrics.jsonl").map(({ loss }) => loss as number);
    expect(losses).toHaveLength(20);
    expect(Math.abs(losses[0]! - Math.log(84))).toBeLessThan(0.15);
    expect(losses.at(-1)!).toBeLessThan(losses[0]! - 1);
  });

  test("count 2048 tokens a step, and say how the held-out speeches fare", () => {
    const [line] = readLines(out, "metrics.jsonl");
    expect(line!.tokensPerSec as number).toBeCloseTo((2048 / (line!.stepMs as number)) * 1000, -2);
    expect(readSummary(out).evalLoss).toBeLessThan(3.6);
  });

  test("make a model that writes, the same text for the same seed", async () => {
    const write = (seed: string) =>
      runLockstep(["generate", out, "--prompt", "The ", "--max-tokens", "60", "--seed", seed]);
    const [first, again, other] = [await write("1"), await write("1"), await write("2")];
    expect(first.status).toBe(0);
    expect(first.stdout).toHaveLength(4 + 60 + 1);
    expect(first.stdout.startsWith("The ")).toBe(true);
    expect(again.stdout).toBe(first.stdout);
    expect(other.stdout).not.toBe(first.stdout);
  }, 60_000);
});
