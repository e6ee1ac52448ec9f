/** @file `lockstep check JOB`: computes one micro-batch twice and compares every bit; plans the memory. Trains nothing. */
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { checkJob } from "@lockstep/worker/node";
import { type ExitStatus, exitStatus } from "../exit-status.js";
import type { ComputeFlags } from "../flags/common-flags.js";
import { prepareJob } from "../job/prepare-job.js";
import { resolveRoom } from "../job/resolve-room.js";
import { writeRunDirectory } from "../run-directory.js";
import { formatBytes, formatTable } from "../terminal/format.js";
import { version } from "../version.js";

interface CheckFlags extends ComputeFlags {
  readonly seed: number;
  readonly set: readonly string[];
}

export async function check(jobPath: string, flags: CheckFlags): Promise<ExitStatus> {
  const job = await prepareJob(jobPath, flags.set, process.cwd());
  const runDir = mkdtempSync(join(tmpdir(), "lockstep-check-"));
  try {
    writeRunDirectory(runDir, job, { version, seed: flags.seed, numeric: flags.numeric ?? "strict" });
    const result = await checkJob({ runDir, resolveRoom, threads: flags.threads ?? availableParallelism() });
    const rows = result.memoryPlan.map(({ what, bytes }) => [what, formatBytes(bytes)]);
    const verdict = result.deterministic
      ? `job "${job.name}" is deterministic: two computations of one micro-batch gave the same bits`
      : `job "${job.name}" is not deterministic: ${result.firstDifference ?? "the loss"} differs between two computations of one micro-batch; a job must draw randomness from core's generator only, and read no clock`;
    const memory = `${formatBytes(result.totalBytes)} of ${formatBytes(result.limitBytes)}: ${result.fits ? "it fits" : "it does not fit; lower microBatchSize or the model"}`;
    process.stdout.write(`${verdict}\n\n${formatTable([["memory", "bytes"], ...rows])}\n${memory}\n`);
    return result.deterministic && result.fits ? exitStatus.completed : exitStatus.failed;
  } finally {
    rmSync(runDir, { recursive: true, force: true });
  }
}
