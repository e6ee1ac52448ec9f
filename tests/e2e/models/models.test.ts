/** @file L1 for every named architecture: five steps with one worker and with three end with the same bits, buffers of norms included. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { decodeSafetensors } from "@lockstep/core";
import { afterEach, expect, test } from "vitest";
import { cleanUp, readSummary, runLockstep, type Summary, temporaryFolder } from "../lockstep-process.js";

afterEach(cleanUp);

/** Name in job.ts -> a tensor that its checkpoint must have. */
const models: Readonly<Record<string, string>> = {
  lenet: "model.conv1.weight",
  resnet: "model.layer2.0.downsample.1.runningVar",
  unet: "model.bottom.bn1.runningMean",
  lstm: "model.encoder.weight_hh_l1_reverse",
  gru: "model.encoder.weight_hh_l1_reverse",
  transformer: "model.encoder.layers.1.self_attn.in_proj_weight",
  recurrentSeq2Seq: "model.attention.energy.weight",
  transformerSeq2Seq: "model.transformer.decoder.layers.0.multihead_attn.in_proj_weight",
  twoTower: "model.user.bags.1.weight",
};

async function train(model: string, folder: string, workers: number): Promise<{ out: string; summary: Summary }> {
  const out = join(folder, `w${workers}`);
  const flags = ["--set", `model=${model}`, "--workers", String(workers), "--threads", "1", "--seed", "7"];
  const ended = await runLockstep(["run", "tests/e2e/models", ...flags, "--out", out, "--quiet"]);
  expect(`${ended.status} ${ended.stderr}`).toBe("0 ");
  return { out, summary: readSummary(out) };
}

test.each(Object.keys(models))(
  "L1: %s, trained by one worker and by three",
  async (name) => {
    const folder = temporaryFolder();
    const [one, three] = await Promise.all([train(name, folder, 1), train(name, folder, 3)]);
    expect(one.summary).toMatchObject({ status: "completed", steps: 5, worldSize: 1 });
    expect(three.summary).toMatchObject({ status: "completed", steps: 5, worldSize: 3 });
    expect(one.summary.paramsSha256).toMatch(/^[0-9a-f]{64}$/);
    expect(three.summary.paramsSha256).toBe(one.summary.paramsSha256);
    expect(three.summary.evalLoss).toBe(one.summary.evalLoss);
    expect(three.summary.bytesSentPerWorkerPerStep).toBeGreaterThan(0);

    const file = join(three.out, "checkpoints", "step-000005", "model.safetensors");
    const { tensors } = decodeSafetensors(readFileSync(file), { source: file });
    const found = tensors.get(models[name]!)!;
    expect(found.data.every(Number.isFinite)).toBe(true);
    expect(new Set(found.data).size).toBeGreaterThan(1);
  },
  60_000,
);
