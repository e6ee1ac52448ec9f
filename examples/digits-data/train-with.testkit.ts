/** @file An example's job, trained with one and with three workers, for its test. */
import { join } from "node:path";
import { readSummary, runLockstep, type Summary } from "../../tests/e2e/lockstep-process.js";

export interface MeasuredSummary extends Summary {
  readonly metrics: Readonly<Record<string, number>>;
}

/** Throws with what the command wrote when it does not end well. */
export async function trainJob(job: string, out: string, flags: readonly string[]): Promise<MeasuredSummary> {
  const { status, stderr } = await runLockstep(["run", job, "--out", out, "--quiet", "--seed", "7", ...flags]);
  if (status !== 0 || stderr !== "") throw new Error(`lockstep run ${job} ended with ${status}: ${stderr}`);
  return readSummary(out) as MeasuredSummary;
}

/** The same job twice, `settings` being values of `--set`. */
export async function trainWith(job: string, folder: string, settings: readonly string[]) {
  const flags = [...settings.flatMap((pair) => ["--set", pair]), "--set", "evalIntervalSteps=0", "--threads", "1"];
  const one = await trainJob(job, join(folder, "one"), [...flags, "--workers", "1"]);
  const three = await trainJob(job, join(folder, "three"), [...flags, "--workers", "3"]);
  return { one, three };
}
