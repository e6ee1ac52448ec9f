/** @file Engines on this thread for tests, and a plain loop that trains one alone. */
import { createHash } from "node:crypto";
import { type CpuBackend, createCpuBackend } from "@lockstep/core";
import type { AnyJob } from "../job/define-job.js";
import { createJobFiles } from "../job/job-files.js";
import { parseJobConfig } from "../job/parse-config.js";
import type { ReadyBucket } from "./compute-engine.js";
import { TrainingEngine, type TrainingEngineOptions } from "./training-engine.js";

export const sha256 = (parts: readonly Uint8Array[]): string => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
};

export function createEngine(job: AnyJob, options: Partial<TrainingEngineOptions> = {}): TrainingEngine {
  return new TrainingEngine({
    job,
    config: parseJobConfig(job),
    seed: 7,
    workerId: "w-a",
    files: createJobFiles([]),
    backend: createCpuBackend(),
    nowMs: () => 0,
    sha256,
    maxBytes: 2 ** 32,
    ...options,
  });
}

/** Trains steps from `first` on alone, as a plain division would reduce them. */
export function trainAlone(engine: TrainingEngine, first: number, last: number): string {
  const { training } = engine;
  let stateHash = "";
  for (let step = first; step <= last; step++) {
    let ready: ReadyBucket | undefined;
    engine.computeNodes(
      { step, nodes: [{ lo: 0, hi: training.numMicroBatches }] },
      {
        onBucket: (bucket) => {
          ready ??= bucket;
        },
        shouldStop: () => false,
      },
    );
    const sum = vectorAt(engine, ready!.address);
    reducedOf(engine).set(sum.map((x) => x / Math.fround(ready!.weight)));
    ({ stateHash } = engine.applyStep(step));
  }
  return stateHash;
}

const reducedAddressOf = new WeakMap<TrainingEngine, number>();
export function prepared(job: AnyJob, options: Partial<TrainingEngineOptions> = {}): TrainingEngine {
  return prepare(createEngine(job, options));
}

export function prepare(engine: TrainingEngine): TrainingEngine {
  reducedAddressOf.set(engine, engine.prepare().info.reducedAddress);
  return engine;
}

export const neverStop = { onBucket: () => {}, shouldStop: () => false };

/** The vector from which `applyStep` takes the reduced gradient. */
export function reducedOf(engine: TrainingEngine): Float32Array {
  return vectorAt(engine, reducedAddressOf.get(engine)!);
}

/** A flat vector of the engine, as long as its gradient. */
export function vectorAt(engine: TrainingEngine, address: number): Float32Array<ArrayBuffer> {
  const { source, layout } = engine.training;
  const { buffer } = (source.backend as CpuBackend).wasmMemory;
  return new Float32Array(buffer as ArrayBuffer, address, layout.length);
}
