/** @file A simulated run of a job with inline engines: how tests of jobs over several workers begin. */
import { createHash } from "node:crypto";
import { createCpuBackend } from "@lockstep/core";
import { InlineEngine } from "../engine/inline-engine.js";
import type { AnyJob } from "../job/define-job.js";
import { createJobFiles } from "../job/job-files.js";
import { parseJobConfig } from "../job/parse-config.js";
import { type SimulatedRun, type SimulatedRunOptions, simulateRun } from "./simulated-run.testkit.js";

export const sha256 = (parts: readonly Uint8Array[]): string => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
};

export const seed = 7;

export interface SimulatedJobOptions {
  readonly steps?: number;
  readonly restore?: { step: number; files: ReadonlyMap<string, Uint8Array> };
  readonly assign?: NonNullable<SimulatedRunOptions["assign"]>;
  readonly engines?: InlineEngine[];
  readonly Engine?: typeof InlineEngine;
  readonly plan?: NonNullable<SimulatedRunOptions["plan"]>;
}

export function runJob(job: AnyJob, numWorkers: number, options: SimulatedJobOptions = {}): Promise<SimulatedRun> {
  const config = parseJobConfig(job);
  return simulateRun({
    numWorkers,
    steps: options.steps ?? config.totalSteps,
    bucketBytes: config.bucketBytes,
    sha256,
    firstStep: options.restore?.step ?? 0,
    ...(options.assign === undefined ? {} : { assign: options.assign }),
    ...(options.plan === undefined ? {} : { plan: options.plan }),
    createEngine: (workerId) => {
      const engine = new (options.Engine ?? InlineEngine)({
        job,
        config,
        seed,
        workerId,
        files: createJobFiles([]),
        backend: createCpuBackend(),
        nowMs: () => 0,
        sha256,
        maxBytes: 2 ** 32,
        ...(options.restore === undefined ? {} : { restore: options.restore }),
      });
      options.engines?.push(engine);
      return engine;
    },
  });
}
