/**
 * @file What a run will be, decided and checked before anything starts: a new one or a resumed one, its configuration, its folder.
 *
 * Everything wrong that can be known here is a usage error: nothing was started, nothing written.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import type { CoordinatorOptions } from "@lockstep/coordinator/node";
import { UsageError } from "./exit-status.js";
import type { JobFlags, NumericClass } from "./flags/common-flags.js";
import { type PreparedJob, prepareJob } from "./job/prepare-job.js";
import {
  chooseNewRunFolder,
  chooseResumeFolder,
  findLastCheckpoint,
  type RunFile,
  readRunConfig,
  writeRunDirectory,
} from "./run-directory.js";
import { version } from "./version.js";

export interface PlannedRun {
  readonly job: PreparedJob;
  readonly runDir: string;
  readonly numeric: NumericClass;
  readonly stopAtStep: number;
  /** Something asked for that will not be so. */
  readonly warning: string | undefined;
  /** The part of the coordinator's options that the plan decides. */
  readonly coordinator: Pick<
    CoordinatorOptions,
    | "runDir"
    | "job"
    | "metrics"
    | "numeric"
    | "admitsDevices"
    | "initFrom"
    | "resume"
    | "isTakenUp"
    | "fork"
    | "stopAtStep"
  >;
  /** Writes the run directory, unless the run is resumed. */
  readonly commit: () => void;
  /** Takes back what `commit` wrote: the coordinator could not start. */
  readonly rollback: () => void;
}

export interface PlanFlags extends JobFlags {
  readonly numeric?: NumericClass;
}

export async function planRun(jobPath: string, flags: PlanFlags, cwd: string, now: Date): Promise<PlannedRun> {
  return flags.resume === undefined
    ? planNewRun(jobPath, flags, cwd, now)
    : planResume(jobPath, flags, flags.resume, cwd);
}

async function planNewRun(jobPath: string, flags: PlanFlags, cwd: string, now: Date): Promise<PlannedRun> {
  const job = await prepareJob(jobPath, flags.set, cwd);
  const runDir = chooseNewRunFolder(flags.out, job.name, cwd, now);
  const initFrom = flags.initFrom === undefined ? undefined : findWeights(flags.initFrom, cwd);
  return describePlan({
    job,
    runDir,
    flags,
    seed: flags.seed ?? 0,
    numeric: flags.numeric ?? "strict",
    initFrom,
    resume: undefined,
    isTakenUp: false,
  });
}

async function planResume(jobPath: string, flags: PlanFlags, resume: string | true, cwd: string): Promise<PlannedRun> {
  const runDir = chooseResumeFolder(resume, flags.out, cwd);
  const shown = relative(cwd, runDir) || ".";
  const run = readRunConfig(runDir);
  refuseChange(shown, "--seed", flags.seed, run.seed);
  refuseChange(shown, "--numeric", flags.numeric, run.numeric);
  if (flags.initFrom !== undefined) {
    throw new UsageError(
      "--resume: it goes on from a checkpoint, and --init-from would replace its weights; give one of the two.",
      {},
    );
  }
  const job = await prepareJob(jobPath, mergeSet(run.config, flags.set), cwd);
  refuseChange(shown, "the job's code", job.bundleSha256, run.jobSha256);
  const config = JSON.stringify(job.config);
  if (config !== JSON.stringify(run.config)) {
    throw new UsageError(
      `--set: the run in ${shown} has another configuration; a resumed run keeps its own. Leave --set out.`,
      { runDir },
    );
  }
  refuseChangedFiles(shown, job.files, run.files);
  const resumeFrom = findLastCheckpoint(runDir);
  // Workers may still hold what was trained; without them such a run begins anew, which only fresh weights allow.
  const canBeginAnew = existsSync(join(runDir, "journal.jsonl")) && run.initFromSha256 === undefined;
  if (!resumeFrom && !canBeginAnew) {
    throw new UsageError(
      `--resume: ${shown} holds no complete checkpoint; there is nothing to go on from. Start a new run.`,
      { runDir },
      "E_USAGE_RESUME",
    );
  }
  return describePlan({
    job,
    runDir,
    flags,
    seed: run.seed,
    numeric: run.numeric,
    initFrom: undefined,
    resume: resumeFrom,
    isTakenUp: true,
  });
}

interface PlanParts {
  readonly job: PreparedJob;
  readonly runDir: string;
  readonly flags: PlanFlags;
  readonly seed: number;
  readonly numeric: NumericClass;
  readonly initFrom: { readonly path: string; readonly sha256: string } | undefined;
  readonly resume: { readonly dir: string; readonly step: number } | undefined;
  readonly isTakenUp: boolean;
}

function describePlan({ job, runDir, flags, seed, numeric, initFrom, resume, isTakenUp }: PlanParts): PlannedRun {
  const { totalSteps } = job.config;
  const stopAtStep = Math.min(flags.steps ?? totalSteps, totalSteps);
  if (resume && resume.step >= stopAtStep) {
    throw new UsageError(
      `--resume: the last checkpoint is of step ${resume.step}, and this invocation stops at step ${stopAtStep}; it must stop later. Raise --steps, at most to totalSteps = ${totalSteps}.`,
      { checkpointStep: resume.step, stopAtStep },
      "E_USAGE_RESUME",
    );
  }
  let claimed: ClaimedFolder | undefined;
  return {
    job,
    runDir,
    numeric,
    stopAtStep,
    warning:
      flags.steps !== undefined && flags.steps > totalSteps
        ? `--steps is ${flags.steps}, but the job ends at totalSteps = ${totalSteps}: this invocation stops there. Set a later horizon with --set totalSteps=${flags.steps}.`
        : undefined,
    coordinator: {
      runDir,
      job: {
        name: job.name,
        config: job.config,
        seed,
        numMicroBatches: job.numMicroBatches,
        jobSha256: job.bundleSha256,
        files: job.files.map(({ name, path, sha256, bytes }) => ({ name, path, sha256, bytes })),
      },
      numeric,
      admitsDevices: flags.numeric === undefined,
      stopAtStep,
      isTakenUp,
      fork: flags.fork === true,
      ...(job.metrics === undefined ? {} : { metrics: job.metrics }),
      ...(initFrom === undefined ? {} : { initFrom }),
      ...(resume === undefined ? {} : { resume: { checkpointDir: resume.dir, step: resume.step } }),
    },
    commit: () => {
      if (isTakenUp) return;
      claimed = claimFolder(runDir);
      writeRunDirectory(runDir, job, { version, seed, numeric, initFromSha256: initFrom?.sha256 });
    },
    rollback: () => {
      if (!claimed) return;
      const written = claimed.wasThere ? readdirSync(runDir).map((name) => join(runDir, name)) : [runDir];
      for (const path of written) rmSync(path, { recursive: true, force: true });
    },
  };
}

interface ClaimedFolder {
  readonly wasThere: boolean;
}

/** Takes the folder of a new run; of two invocations that want the same one, only one makes it. */
function claimFolder(runDir: string): ClaimedFolder {
  mkdirSync(dirname(runDir), { recursive: true });
  try {
    mkdirSync(runDir);
    return { wasThere: false };
  } catch (error) {
    if ((error as { code?: unknown }).code !== "EEXIST") throw error;
  }
  if (readdirSync(runDir).length === 0) return { wasThere: true };
  throw new UsageError(
    `--out: another run has just taken ${runDir}; a new run needs a folder of its own. Name another one.`,
    { runDir },
    "E_OUT_NOT_EMPTY",
  );
}

function mergeSet(config: Readonly<Record<string, unknown>>, pairs: readonly string[]): readonly string[] {
  const kept = Object.entries(config).map(
    ([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return [...kept, ...pairs];
}

function refuseChange(run: string, what: string, given: unknown, kept: unknown): void {
  if (given === undefined || given === kept) return;
  throw new UsageError(
    `--resume: ${what} is ${String(given)}, and the run in ${run} began with ${String(kept)}; a resumed run must keep it. Leave it as it was, or start a new run with --init-from.`,
    { what, given, kept },
    "E_USAGE_RESUME",
  );
}

function refuseChangedFiles(run: string, found: readonly RunFile[], kept: readonly RunFile[]): void {
  const keyOf = ({ name, path }: RunFile) => `${name}/${path}`;
  const before = new Map(kept.map((file) => [keyOf(file), file.sha256]));
  const changed = found.find((file) => before.get(keyOf(file)) !== file.sha256);
  const isSame = changed === undefined && found.length === kept.length;
  if (isSame) return;
  const what = changed === undefined ? "some files are gone" : `file "${keyOf(changed)}" is not the one`;
  throw new UsageError(
    `--resume: ${what} that the run in ${run} began with; a resumed run must read the same data. Put the files back, or start a new run with --init-from.`,
    { file: changed === undefined ? undefined : keyOf(changed) },
    "E_USAGE_RESUME",
  );
}

/** The safetensors file that FILE means: itself, the model of a checkpoint, or that of a run's last checkpoint. */
function findWeights(file: string, cwd: string): { readonly path: string; readonly sha256: string } {
  const absolute = resolve(cwd, file);
  const path = existsSync(absolute) && statSync(absolute).isDirectory() ? weightsOfFolder(absolute) : absolute;
  if (path === undefined || !existsSync(path)) {
    throw new UsageError(
      `--init-from: ${file} is no safetensors file, no checkpoint and no run with one; it must be one of them. Check the path.`,
      { file },
      "E_USAGE_INIT_FROM",
    );
  }
  return { path, sha256: createHash("sha256").update(readFileSync(path)).digest("hex") };
}

function weightsOfFolder(folder: string): string | undefined {
  const checkpoint = existsSync(join(folder, "model.safetensors")) ? folder : findLastCheckpoint(folder)?.dir;
  return checkpoint === undefined ? undefined : join(checkpoint, "model.safetensors");
}
