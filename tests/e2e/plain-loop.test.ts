import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { seedScope, withBackend } from "@lockstep/core";
import { createNodeCpuBackend } from "@lockstep/core/node";
import { createSampler } from "@lockstep/data";
import { type AnyJob, createJobFiles, numMicroBatchesOf, parseJobConfig } from "@lockstep/worker";
import { afterEach, expect, test } from "vitest";
import text from "./jobs/text/job.js";
import tiny from "./jobs/tiny/job.js";
import { cleanUp, readSummary, root, runLockstep, temporaryFolder } from "./lockstep-process.js";
import { trainPlainly } from "./plain-loop.js";

afterEach(cleanUp);

/** Parameters after the plain loop, as summary.json gives them. */
function plainSha256(job: AnyJob, folder: string, numeric: "strict" | "fused"): string {
  const seed = 11;
  const backend = createNodeCpuBackend({ numeric, threads: 1 });
  return withBackend(backend, () => {
    const config = parseJobConfig(job);
    const sources = Object.entries(job.files?.(config as never) ?? {}).map(([name, location]) => {
      const path = typeof location === "string" ? location : location.path;
      return { name, path, read: () => new Uint8Array(readFileSync(join(root, folder, path))) };
    });
    const data = job.data(config as never, createJobFiles(sources));
    const model = seedScope(seed, () => job.model(config as never, data));
    const { globalBatchSize, microBatchSize, totalSteps, maxGradNorm } = config;
    const sampler = createSampler({ seed, size: data.train.size, globalBatchSize, microBatchSize });
    trainPlainly({
      model,
      optimizer: job.optimizer(config as never, model),
      schedule: job.schedule(config as never),
      lossOf: (step, m) => job.loss(model, data.train.batch(sampler.microBatch(step, m)) as never),
      seed,
      totalSteps,
      numMicroBatches: numMicroBatchesOf(config),
      maxGradNorm,
    });
    const hash = createHash("sha256");
    for (const tensor of model.stateDict().values()) {
      const values = tensor.dataSync();
      hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    }
    return hash.digest("hex");
  });
}

test.each([
  ["tiny", tiny, "strict"],
  ["text", text, "strict"],
  ["text", text, "fused"],
] as const)(
  "L5: three workers give the bits of a plain loop over core: job %s",
  async (name, job, numeric) => {
    const out = join(temporaryFolder(), "run");
    const folder = `tests/e2e/jobs/${name}`;
    const flags = ["--workers", "3", "--seed", "11", "--numeric", numeric, "--out", out, "--quiet"];
    const { status, stderr } = await runLockstep(["run", folder, ...flags]);
    expect(`${status} ${stderr}`).toBe("0 ");
    expect(readSummary(out).paramsSha256).toBe(plainSha256(job as unknown as AnyJob, folder, numeric));
  },
  90_000,
);
