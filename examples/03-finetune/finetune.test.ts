import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { runLockstep } from "../../tests/e2e/lockstep-process.js";
import { finetune } from "./main.js";

const small = [
  "numLayers=1",
  "embedDim=32",
  "numHeads=2",
  "globalBatchSize=8",
  "microBatchSize=4",
  "evalSamples=16",
].flatMap((pair) => ["--set", pair]);
const pretrainingFolder = fileURLToPath(new URL("../02-char-gpt", import.meta.url));

test("fine-tuning lowers the loss on the new text, from the weights of the old run", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lockstep-03-"));
  try {
    const pretrained = join(folder, "pretrained");
    const { status } = await runLockstep([
      "run",
      pretrainingFolder,
      "--steps",
      "40",
      "--out",
      pretrained,
      "--quiet",
      ...small,
    ]);
    expect(status).toBe(0);
    const { before, after } = finetune(pretrained, join(folder, "finetuned"), ["--steps", "30", "--quiet", ...small]);
    expect(before.sotu).toBeLessThan(before.mobyDick);
    expect(after.mobyDick).toBeLessThan(before.mobyDick - 0.02);
    expect(before.sotu).toBeLessThan(3.6); // it did start from trained weights: ln(84) = 4.43
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 180_000);
