import { createHash } from "node:crypto";
import { join } from "node:path";
import { clipGradNorm, microBatchScope, type nn, type optim, seedScope, treeAccumulator } from "@lockstep/core";
import { createSampler } from "@lockstep/data";
import { type AnyJob, parseJobConfig } from "@lockstep/worker";
import { afterEach, expect, test } from "vitest";
import tiny from "./jobs/tiny/job.js";
import { cleanUp, readSummary, runLockstep, temporaryFolder } from "./lockstep-process.js";

afterEach(cleanUp);

/** Training as anybody would write it with core alone: one process, one loop, no workers. */
function trainPlainly(job: AnyJob, seed: number): nn.Module {
  const config = parseJobConfig(job);
  const { globalBatchSize, microBatchSize, totalSteps, maxGradNorm } = config;
  const { train } = job.data(config as never, { list: () => [], text: () => "", bytes: () => new Uint8Array() });
  const model = seedScope(seed, () => job.model(config as never, { train }));
  const optimizer: optim.Optimizer = job.optimizer(config as never, model);
  const schedule = job.schedule(config as never);
  const sampler = createSampler({ seed, size: train.size, globalBatchSize, microBatchSize });

  for (let step = 0; step < totalSteps; step++) {
    const tree = treeAccumulator(model, sampler.numMicroBatches);
    for (let m = 0; m < sampler.numMicroBatches; m++) {
      microBatchScope({ seed, step, m }, () => {
        const { sum, weight } = job.loss(model, train.batch(sampler.microBatch(step, m)) as never);
        sum.backward();
        tree.add(weight);
      });
    }
    tree.assignGradients();
    if (maxGradNorm > 0) clipGradNorm(model.parameters(), maxGradNorm);
    optimizer.learningRate = schedule(step);
    optimizer.step();
    optimizer.zeroGrad();
  }
  return model;
}

async function paramsSha256(model: nn.Module): Promise<string> {
  const hash = createHash("sha256");
  for (const tensor of model.stateDict().values()) hash.update(new Uint8Array((await tensor.data()).slice().buffer));
  return hash.digest("hex");
}

test("L5: three workers give the bits of a plain loop over core", async () => {
  const out = join(temporaryFolder(), "run");
  const { status, stderr } = await runLockstep([
    "run",
    "tests/e2e/jobs/tiny",
    "--workers",
    "3",
    "--seed",
    "11",
    "--out",
    out,
    "--quiet",
  ]);
  expect(`${status} ${stderr}`).toBe("0 ");
  expect(readSummary(out).paramsSha256).toBe(await paramsSha256(trainPlainly(tiny as unknown as AnyJob, 11)));
}, 90_000);
