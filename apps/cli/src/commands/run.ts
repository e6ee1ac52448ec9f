/** @file `lockstep run JOB`: everything on this machine, a coordinator on loopback and N worker processes. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prepareChaos } from "../chaos/prepare-chaos.js";
import { type ExitStatus, UsageError } from "../exit-status.js";
import {
  type ComputeFlags,
  type JobFlags,
  type LogFlags,
  refuseHalvesOnCpu,
  refuseMixedClasses,
  refuseUpdatesOnCpu,
} from "../flags/common-flags.js";
import { assertBackends } from "../gpu/choose-device.js";
import { findLanAddress } from "../lan-address.js";
import { localRunOptions } from "../local-run.js";
import { planRun } from "../plan-run.js";
import { superviseRun } from "../supervise-run.js";

interface RunFlags extends JobFlags, ComputeFlags, LogFlags {
  readonly workers: number;
  readonly chaos?: number;
  readonly audit: number;
  readonly lossScale?: number;
}

export async function run(jobPath: string, flags: RunFlags): Promise<ExitStatus> {
  const { workers } = flags;
  if (flags.backend.length !== 1 && flags.backend.length !== workers) {
    throw new UsageError(
      `--backend: got ${flags.backend.length} entries for ${workers} workers; it must be one, or one for each worker. Count them.`,
      { entries: flags.backend.length, workers },
    );
  }
  refuseMixedClasses("run", flags);
  refuseHalvesOnCpu("run", flags);
  refuseUpdatesOnCpu("run", flags);
  if (flags.chaos !== undefined && workers < 2) {
    throw new UsageError(
      `run: --chaos kills and freezes workers, and --workers is ${workers}; there must be at least 2, so that one is left. Give --workers 3.`,
      { workers },
      "E_USAGE_CHAOS",
    );
  }
  await assertBackends(flags, (line) => void process.stderr.write(`${line}\n`));
  const plan = await planRun(jobPath, flags, process.cwd(), new Date());
  if (workers > plan.job.numMicroBatches) {
    throw new UsageError(
      `run: --workers is ${workers}, but a step has only ${plan.job.numMicroBatches} micro-batches (globalBatchSize ${plan.job.config.globalBatchSize} / microBatchSize ${plan.job.config.microBatchSize}); there must be at least one for each worker. Start at most ${plan.job.numMicroBatches} workers, or lower microBatchSize.`,
      { workers, numMicroBatches: plan.job.numMicroBatches },
      "E_USAGE_WORKERS",
    );
  }
  const chaos = flags.chaos === undefined ? undefined : prepareChaos(flags.chaos, workers, plan);
  const cacheDir = mkdtempSync(join(tmpdir(), "lockstep-run-"));
  try {
    const options = localRunOptions(plan, {
      ...flags,
      chaos,
      cacheDir,
      farewell: () => joinAdvice(jobPath),
    });
    return await superviseRun(plan, options);
  } finally {
    rmSync(cacheDir, { recursive: true, force: true });
  }
}

/** How the same job would have been trained with another machine. */
function joinAdvice(jobPath: string): string {
  const address = findLanAddress() ?? "HOST";
  return [
    "To train with another machine as well:",
    `  here:  npx lockstep coordinator ${jobPath} --host ${address} --min-workers 2`,
    `  there: npx lockstep worker ws://${address}:7733 --token-file FILE   (the coordinator prints where its token is)`,
    "",
  ].join("\n");
}
