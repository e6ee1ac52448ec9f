import type { SimNetwork } from "@lockstep/collectives/testing";
import {
  clipGradNorm,
  createCpuBackend,
  microBatchScope,
  seedScope,
  treeAccumulator,
  withBackend,
} from "@lockstep/core";
import { createSampler } from "@lockstep/data";
import { describe, expect, test } from "vitest";
import { InlineEngine } from "../engine/inline-engine.js";
import { tinyGptJob, tinyMlpJob } from "../engine/tiny-jobs.testkit.js";
import type { AnyJob } from "../job/define-job.js";
import { createJobFiles } from "../job/job-files.js";
import { numMicroBatchesOf, parseJobConfig } from "../job/parse-config.js";
import { runJob as run, seed, sha256 } from "./simulated-job.testkit.js";
import { contiguousShares } from "./simulated-run.testkit.js";

/** The same training without worker, session or network (L5). */
function plainLoop(job: AnyJob): string {
  const config = parseJobConfig(job);
  const backend = createCpuBackend();
  return withBackend(backend, () => {
    const data = job.data(config, createJobFiles([]));
    const model = seedScope(seed, () => job.model(config, data));
    const optimizer = job.optimizer(config, model);
    const schedule = job.schedule(config);
    const M = numMicroBatchesOf(config);
    const sampler = createSampler({ seed, size: data.train.size, ...config });
    for (let step = 0; step < config.totalSteps; step++) {
      const tree = treeAccumulator(model, M);
      for (let m = 0; m < M; m++)
        microBatchScope({ seed, step, m }, () => {
          const { sum, weight } = job.loss(model, data.train.batch(sampler.microBatch(step, m)));
          sum.backward();
          tree.add(weight);
        });
      tree.assignGradients();
      clipGradNorm(model.parameters(), config.maxGradNorm);
      optimizer.learningRate = schedule(step);
      optimizer.step();
      optimizer.zeroGrad();
    }
    const tensors = [...model.namedParameters(), ...model.namedBuffers()];
    return sha256(tensors.map(([, tensor]) => new Uint8Array(tensor.dataSync().buffer)));
  });
}

for (const job of [tinyMlpJob, tinyGptJob]) {
  describe(`a run of ${job.name}`, () => {
    test("L1 L2 L5 gives the bits of the plain loop with 1, 2, 3 and 4 workers", async () => {
      const expected = plainLoop(job);
      const one = await run(job, 1);
      expect(one.errors).toEqual([]);
      expect(one.paramsSha256).toBe(expected);
      for (const numWorkers of [2, 3, 4]) {
        const several = await run(job, numWorkers);
        expect(several.errors).toEqual([]);
        expect(several.paramsSha256, `${numWorkers} workers`).toBe(expected);
        expect(several.stateHashes).toEqual(one.stateHashes);
        expect(several.trainLosses).toEqual(one.trainLosses);
        expect(several.evalLoss).toBe(one.evalLoss);
      }
    });

    test("L1 gives the same bits however the nodes are shared out", async () => {
      const even = await run(job, 2);
      const lopsided = await run(job, 2, {
        assign: (numMicroBatches) =>
          contiguousShares(numMicroBatches, 4).reduce<[...ReturnType<typeof contiguousShares>]>(
            (shares, nodes, i) => {
              shares[i === 3 ? 1 : 0]!.push(...nodes);
              return shares;
            },
            [[], []],
          ),
      });
      expect(lopsided.paramsSha256).toBe(even.paramsSha256);
    });

    test("L4 stopped, saved and resumed on another number of workers gives the same bits", async () => {
      const whole = await run(job, 2);
      const config = parseJobConfig(job);
      const half = await run(job, 3, { steps: 2 });
      const rest = await run(job, 1, { steps: config.totalSteps - 2, restore: { step: 2, files: half.checkpoint } });
      expect(rest.errors).toEqual([]);
      expect(rest.paramsSha256).toBe(whole.paramsSha256);
      expect([...half.trainLosses, ...rest.trainLosses]).toEqual(whole.trainLosses);
    });
  });
}

describe("a run that cannot go on", () => {
  test("L7 a worker whose peer is gone waits for the coordinator's word, then reports the peer and keeps its state", async () => {
    const engines: InlineEngine[] = [];
    const plan = (network: SimNetwork) => network.at(40, () => network.drop("w1"));
    const { errors, results, firedFaults, virtualMs } = await run(tinyMlpJob, 2, { plan, engines });
    expect(firedFaults).toEqual(["drop w1"]);
    expect(errors[0]).toMatchObject({ code: "E_PEER_LOST", isStateIntact: true, phase: "step" });
    expect(results.map(({ status }) => status)).toEqual(["failed", "failed"]);
    expect(results[0]!.step).toBe(engines[0]!.engine.exportState().step);
    expect(virtualMs).toBeLessThan(40 + 2_000);
  });

  test("a job that cannot be prepared ends the run and leaves no engine behind", async () => {
    let numDisposed = 0;
    let numCalls = 0;
    class CountedEngine extends InlineEngine {
      override async dispose(): Promise<void> {
        numDisposed++;
        await super.dispose();
      }
    }
    const unsteady: AnyJob = {
      ...tinyMlpJob,
      loss: (model, batch) => {
        const { sum, weight } = tinyMlpJob.loss(model, batch as never);
        numCalls++;
        return { sum: sum.mul(numCalls), weight };
      },
    };
    const { errors, results } = await run(unsteady, 2, { Engine: CountedEngine });
    expect(errors[0]).toMatchObject({ code: "E_NOT_DETERMINISTIC", phase: "load", tensor: "the loss" });
    expect(results.map(({ status }) => status)).toEqual(["failed", "failed"]);
    expect(numDisposed).toBe(2);
  });

  test("L6 a step with nothing to train on is an error on every rank that could have divided", async () => {
    const weightless: AnyJob = {
      ...tinyMlpJob,
      loss: (model, batch) => ({ ...tinyMlpJob.loss(model, batch as never), weight: 0 }),
    };
    const { errors } = await run(weightless, 2);
    expect(errors[0]).toMatchObject({ code: "E_NO_WEIGHT", step: 1, isStateIntact: true });
  });

  test("L6 a gradient that overflows only in the sum names the parameter", async () => {
    const huge: AnyJob = {
      ...tinyMlpJob,
      loss: (model, batch) => {
        const { sum, weight } = tinyMlpJob.loss(model, batch as never);
        return { sum: sum.mul(0).add(model.parameters()[0]!.mul(1.5e38).sum()), weight };
      },
    };
    const { errors } = await run(huge, 2);
    expect(errors[0]).toMatchObject({ code: "E_NOT_FINITE", step: 1, tensor: "fc1.weight" });
  });
});
