/** @file Is a job deterministic, and does it fit in memory: computed on this machine, without a network. */
import { createNodeCpuBackend } from "@lockstep/core/node";
import type { PreparedEngine } from "../engine/compute-engine.js";
import type { MemoryPlan } from "../engine/memory-plan.js";
import { findFirstDifference } from "../engine/probe.js";
import { TrainingEngine } from "../engine/training-engine.js";
import { parseJobConfig } from "../job/parse-config.js";
import { jobFilesOnDisk, maxWasmBytes, sha256 } from "./engine-spec.js";
import { importJob, writeJobModule } from "./job-loader.js";
import { readRunDirectory } from "./run-directory.js";

export interface CheckJobOptions {
  /** A run directory: `job.mjs`, `config.json`, `files/<sha256>`. */
  readonly runDir: string;
  readonly resolveRoom: (specifier: string) => string;
  readonly tempDir: string;
  readonly numeric?: "strict" | "fused";
  readonly threads?: number;
  readonly maxBytes?: number;
}

export interface JobCheck {
  readonly deterministic: boolean;
  /** What differed first, in words: "the initial fc1.weight", "the loss", "the gradient of fc1.weight". */
  readonly firstDifference?: string;
  /** Absent when the job is not deterministic or does not fit. */
  readonly memoryPlan?: MemoryPlan;
  readonly fits: boolean;
  /** The error's text when the job does not fit. */
  readonly message?: string;
}

/**
 * Builds the job twice from nothing and computes its probe micro-batch in both.
 *
 * @throws what the job's own functions throw.
 */
export async function checkJob(options: CheckJobOptions): Promise<JobCheck> {
  const run = readRunDirectory(options.runDir);
  const moduleUrl = await writeJobModule(run.bundle, options);
  const prepareOnce = async (query: string): Promise<PreparedEngine> => {
    // The query makes Node load the module again: state at its top level begins anew.
    const job = await importJob(`${moduleUrl}${query}`);
    const backend = createNodeCpuBackend({
      numeric: options.numeric ?? run.numeric,
      threads: options.threads ?? 1,
    });
    const maxBytes = options.maxBytes ?? maxWasmBytes;
    const config = parseJobConfig(job, run.config);
    const files = jobFilesOnDisk(run.files);
    const nowMs = () => performance.now();
    const engine = new TrainingEngine({
      job,
      config,
      seed: run.seed,
      workerId: "check",
      files,
      backend,
      nowMs,
      sha256,
      maxBytes,
    });
    try {
      return engine.prepare();
    } finally {
      engine.dispose();
    }
  };
  try {
    const first = await prepareOnce("?first");
    const second = await prepareOnce("?second");
    const firstDifference = findFirstDifference(first.probe.tensors, second.probe.tensors);
    if (firstDifference !== undefined) return { deterministic: false, firstDifference, fits: true };
    return { deterministic: true, memoryPlan: first.plan, fits: true };
  } catch (error) {
    const { code, message, fields } = error as { code?: string; message?: string; fields?: { tensor?: string } };
    if (code === "E_NOT_DETERMINISTIC") {
      return { deterministic: false, firstDifference: fields?.tensor ?? "", fits: true, message: message ?? "" };
    }
    if (code === "E_MEMORY_PLAN") return { deterministic: true, fits: false, message: message ?? "" };
    throw error;
  }
}
