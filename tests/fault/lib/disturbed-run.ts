/** @file One whole scenario: a group that trains, what is done to it, and what is left compared with an undisturbed run. */
import { join } from "node:path";
import { Generator } from "@lockstep/core";
import { type Summary, temporaryFolder } from "../../e2e/lockstep-process.js";
import { type Line, readAllLines } from "./line-file.js";
import { findViolations, undisturbed } from "./run-checks.js";
import { TrainingGroup, type WorkerOptions } from "./training-group.js";

export interface Scenario {
  readonly workers: Readonly<Record<string, WorkerOptions>>;
  readonly minWorkers?: number;
  /** Default 150: some ten seconds. */
  readonly totalSteps?: number;
  /** `key=value` of the job's configuration. */
  readonly set?: readonly string[];
  /** Of the moments at which things happen, and of the job. Default 1. */
  readonly seed?: number;
}

export interface DisturbedRun {
  readonly summary: Summary;
  readonly events: readonly Line[];
  /** Empty, or laws that the run broke. */
  readonly violations: readonly string[];
  /** What the coordinator wrote for people: stdout, then stderr. */
  readonly output: string;
}

/** Time of a step of the job `steady` with three workers on two cores, about. */
export const stepMs = 50;

/** Trains with all workers in, does `disturb`, waits for the end. The disturbance must be over before the run is. */
export async function disturbedRun(
  scenario: Scenario,
  disturb: (group: TrainingGroup, random: Generator) => Promise<void>,
): Promise<DisturbedRun> {
  const { workers, minWorkers = 1, totalSteps = 150, seed = 1, set = [] } = scenario;
  const folder = temporaryFolder();
  const job = { job: "tests/e2e/jobs/steady", seed: 7, totalSteps, set };
  const expected = await undisturbed(job, folder);
  const group = await TrainingGroup.start({ ...job, out: join(folder, "run"), minWorkers });
  try {
    for (const [name, options] of Object.entries(workers)) await group.addWorker(name, options);
    await group.waitForMembers(Object.keys(workers));
    await disturb(group, new Generator(seed));
    if (group.step >= totalSteps) throw new Error(`the run was over before the disturbance; raise totalSteps`);
    const { summary, stdout, stderr } = await group.finish();
    const events = readAllLines(join(group.out, "events.jsonl"));
    return { summary, events, output: stdout + stderr, violations: findViolations(group.out, expected) };
  } finally {
    await group.dispose();
  }
}
