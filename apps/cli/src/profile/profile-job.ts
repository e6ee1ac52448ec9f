/** @file Runs steps of a job and measures them: one to warm up, one as it is, some with everything watched. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MemoryFigures } from "@lockstep/core";
import { WebGpuBackend } from "@lockstep/gpu-backend";
import {
  type ChromeTrace,
  chromeTrace,
  type Peak,
  Profiler,
  type ProfileSummary,
  summarise,
  type TimeSource,
} from "@lockstep/gpu-backend/profiling";
import { openTrial, type Trial, type TrialSpans } from "@lockstep/worker/node";
import type { PreparedJob } from "../job/prepare-job.js";
import { resolveRoom } from "../job/resolve-room.js";
import { writeRunDirectory } from "../run-directory.js";
import { version } from "../version.js";
import type { ProfiledBackend } from "./profiled-backend.js";

/** A step without anybody watching. */
export interface PlainStep {
  readonly wallMs: number;
  /** On a device, whose launches are recorded and submitted by JavaScript. */
  readonly recording?: { readonly javaScriptMs: number; readonly numLaunches: number; readonly numSubmits: number };
}

export interface JobProfile {
  readonly job: string;
  readonly backend: string;
  readonly machine: string;
  readonly isSoftware: boolean;
  readonly timeSource: TimeSource;
  readonly stepIs: string;
  readonly numSteps: number;
  readonly numMicroBatches: number;
  /** Op by op. */
  readonly plainStep: PlainStep;
  /** The same from a record, where the job can be replayed. */
  readonly replayedStep?: PlainStep;
  /** Why it cannot. */
  readonly notReplayed?: string;
  /** Wall time of the watched steps. */
  readonly watchedMs: number;
  readonly peak: Peak;
  readonly memory: MemoryFigures;
  readonly summary: ProfileSummary;
}

export interface ProfileOptions {
  readonly numSteps: number;
  readonly seed: number;
  /** Whether a GPU takes the optimizer's steps, too. */
  readonly updatesOnDevice: boolean;
  readonly nowMs: () => number;
}

/** Disposes the backend. */
export async function profileJob(
  job: PreparedJob,
  profiled: ProfiledBackend,
  options: ProfileOptions,
): Promise<{ readonly profile: JobProfile; readonly trace: ChromeTrace }> {
  const runDir = mkdtempSync(join(tmpdir(), "lockstep-profile-"));
  const { backend } = profiled;
  const spans = new Switch();
  let trial: Trial | undefined;
  try {
    writeRunDirectory(runDir, job, { version, seed: options.seed, numeric: "strict" });
    const peak = await profiled.peak(options.nowMs);
    const tempDir = join(runDir, "module");
    const { nowMs, updatesOnDevice } = options;
    trial = await openTrial({ runDir, resolveRoom, tempDir, backend, nowMs, spans, updatesOnDevice });
    await trial.step();
    const measuring = { profiled, spans, nowMs };
    const plainStep = await plainStepOf(trial.step, measuring);
    const replayed = await replayedStepOf(trial, measuring);
    return await watchedSteps({ job, trial, peak, plainStep, replayed, ...measuring, ...options });
  } finally {
    if (trial === undefined) backend.dispose();
    else trial.dispose();
    rmSync(runDir, { recursive: true, force: true });
  }
}

/** Hands spans on to whoever wants them. */
class Switch implements TrialSpans {
  target: TrialSpans | undefined;

  begin(name: string): void {
    this.target?.begin(name);
  }
  end(): void {
    this.target?.end();
  }
}

interface Measuring {
  readonly profiled: ProfiledBackend;
  readonly spans: Switch;
  readonly nowMs: () => number;
}

async function plainStepOf(step: () => Promise<void>, { profiled, spans, nowMs }: Measuring): Promise<PlainStep> {
  const { backend } = profiled;
  const device = backend instanceof WebGpuBackend ? backend : undefined;
  const before = device?.figures();
  let javaScriptMs = 0;
  const open: (readonly [name: string, startMs: number])[] = [];
  spans.target = {
    begin: (name) => open.push([name, nowMs()]),
    end: () => {
      const [name, startMs] = open.pop()!;
      if (name === "record") javaScriptMs += nowMs() - startMs;
    },
  };
  const start = nowMs();
  await step();
  const wallMs = nowMs() - start;
  spans.target = undefined;
  const after = device?.figures();
  if (before === undefined || after === undefined) return { wallMs };
  const numLaunches = after.numLaunches - before.numLaunches;
  return { wallMs, recording: { javaScriptMs, numLaunches, numSubmits: after.numSubmits - before.numSubmits } };
}

type Replayed = Pick<JobProfile, "replayedStep" | "notReplayed">;

/** After the two micro-batches that are compared, and the first replay, which makes ready what later ones use. */
async function replayedStepOf(trial: Trial, measuring: Measuring): Promise<Replayed> {
  const { replayedStep: step, numMicroBatches } = trial;
  if (step === undefined) return {};
  for (let done = 0; done < 3; done += numMicroBatches) await step();
  const replayedStep = await plainStepOf(step, measuring);
  const notReplayed = trial.notReplayed();
  return notReplayed === undefined ? { replayedStep } : { notReplayed };
}

interface Watching extends Measuring, ProfileOptions {
  readonly job: PreparedJob;
  readonly trial: Trial;
  readonly peak: Peak;
  readonly plainStep: PlainStep;
  readonly replayed: Replayed;
}

async function watchedSteps(watching: Watching): Promise<{ profile: JobProfile; trace: ChromeTrace }> {
  const { job, trial, profiled, spans, peak, plainStep, replayed, numSteps, nowMs } = watching;
  const { backend, machine, isDevice, isSoftware } = profiled;
  const profiler = new Profiler(backend, { nowMs });
  try {
    spans.target = { begin: (name) => profiler.beginSpan(name), end: () => profiler.endSpan() };
    profiler.start();
    const start = nowMs();
    for (let step = 0; step < numSteps; step++) await trial.step();
    const watchedMs = nowMs() - start;
    spans.target = undefined;
    const memory = backend.memory();
    await profiler.stop();
    const { ops, submits, timeSource } = profiler;
    const about = { job: job.name, backend: backend.name, machine, timeSource, lockstep: version };
    const profile: JobProfile = {
      ...{ job: job.name, backend: backend.name, machine, isSoftware, timeSource },
      ...{ stepIs: trial.stepIs, numSteps, numMicroBatches: trial.numMicroBatches },
      ...replayed,
      ...{ plainStep, watchedMs, peak, memory, summary: summarise(ops, peak, isDevice) },
    };
    return { profile, trace: chromeTrace({ spans: profiler.spans, ops, submits, about }) };
  } finally {
    profiler.dispose();
  }
}
