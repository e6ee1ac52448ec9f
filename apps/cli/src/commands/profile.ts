/** @file `lockstep profile JOB`: where the time of a training step goes, kernel by kernel, and how near to the machine's peak. Trains nothing. */
import { statSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, resolve } from "node:path";
import { type ExitStatus, exitStatus, UsageError } from "../exit-status.js";
import {
  type BackendName,
  type Precision,
  refuseHalvesOnCpu,
  refuseUpdatesOnCpu,
  type Updater,
} from "../flags/common-flags.js";
import { prepareJob } from "../job/prepare-job.js";
import { formatProfile } from "../profile/format-profile.js";
import { profileJob } from "../profile/profile-job.js";
import { openProfiledBackend } from "../profile/profiled-backend.js";

interface ProfileFlags {
  readonly backend: BackendName;
  readonly precision: Precision;
  readonly update: Updater;
  readonly steps: number;
  readonly out?: string;
  readonly json: boolean;
  readonly seed: number;
  readonly set: readonly string[];
  readonly threads?: number;
}

export async function profile(jobPath: string, flags: ProfileFlags): Promise<ExitStatus> {
  const { precision, update } = flags;
  refuseHalvesOnCpu("profile", { backend: [flags.backend], precision });
  refuseUpdatesOnCpu("profile", { backend: [flags.backend], precision, update });
  const job = await prepareJob(jobPath, flags.set, process.cwd());
  const tracePath = resolve(flags.out ?? `${job.name}.trace.json`);
  const warn = (line: string): void => void process.stderr.write(`${line}\n`);
  const threads = flags.threads ?? availableParallelism();
  assertWritable(tracePath);
  const profiled = await openProfiledBackend(flags.backend, { threads, precision, warn });
  const nowMs = () => performance.now();
  const options = { numSteps: flags.steps, seed: flags.seed, updatesOnDevice: update === "device", nowMs };
  const { profile, trace } = await profileJob(job, profiled, options);
  writeFileSync(tracePath, JSON.stringify(trace));
  if (flags.json) process.stdout.write(`${JSON.stringify({ ...profile, trace: tracePath }, null, 2)}\n`);
  else {
    const where = `trace: ${tracePath} (open it in https://ui.perfetto.dev or chrome://tracing)`;
    process.stdout.write(`${formatProfile(profile)}\n\n${where}\n`);
  }
  return exitStatus.completed;
}

/** Before minutes of steps, and without writing. @throws {UsageError} E_USAGE_OUT */
function assertWritable(path: string): void {
  const folder = dirname(path);
  const found = statSync(path, { throwIfNoEntry: false });
  const isFolder = statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true;
  if (isFolder && found?.isDirectory() !== true) return;
  const reason = isFolder ? "it is a folder" : `there is no folder ${folder}`;
  throw new UsageError(
    `profile: the trace cannot be written to ${path}, ${reason}; it must be a file in a folder that is there. Name another one: --out FILE.`,
    { path },
    "E_USAGE_OUT",
  );
}
