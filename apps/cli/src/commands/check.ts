/** @file `lockstep check JOB`: computes one micro-batch twice and compares every bit; plans the memory. Trains nothing. */
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { checkJob, type JobCheck } from "@lockstep/worker/node";
import { type ExitStatus, exitStatus } from "../exit-status.js";
import { type ComputeFlags, refuseHalvesOnCpu } from "../flags/common-flags.js";
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
  refuseHalvesOnCpu("check", flags);
  const job = await prepareJob(jobPath, flags.set, process.cwd());
  const runDir = mkdtempSync(join(tmpdir(), "lockstep-check-"));
  try {
    writeRunDirectory(runDir, job, { version, seed: flags.seed, numeric: flags.numeric ?? "strict" });
    const result = await checkJob({
      runDir,
      resolveRoom,
      tempDir: join(runDir, "module"),
      threads: flags.threads ?? availableParallelism(),
    });
    process.stdout.write(`${describe(job.name, result)}\n`);
    return result.deterministic && result.fits ? exitStatus.completed : exitStatus.failed;
  } finally {
    rmSync(runDir, { recursive: true, force: true });
  }
}

function describe(name: string, { deterministic, firstDifference, memoryPlan, fits, message }: JobCheck): string {
  if (!fits) return `job "${name}" does not fit in memory\n${message ?? ""}`;
  if (!deterministic) {
    return `error: job "${name}" is not deterministic: ${firstDifference ?? "something"} differs between two computations of one micro-batch; a job must draw randomness from core's generator only, and read no clock (E_NOT_DETERMINISTIC)`;
  }
  const lines = [`job "${name}" is deterministic: two computations of one micro-batch gave the same bits`];
  if (memoryPlan) {
    const rows = memoryPlan.rows.map(({ what, bytes, why }) => [what, formatBytes(bytes), why]);
    lines.push("", formatTable([["memory of one worker", "bytes", ""], ...rows]));
    lines.push(`${formatBytes(memoryPlan.totalBytes)} of ${formatBytes(memoryPlan.maxBytes)}: it fits`);
  }
  return lines.join("\n");
}
