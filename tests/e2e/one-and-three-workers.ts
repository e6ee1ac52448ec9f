/** @file A job trained twice, by one worker and by three: what the test of an example compares. */
import { join } from "node:path";
import { expect } from "vitest";
import { readSummary, runLockstep, type Summary, temporaryFolder } from "./lockstep-process.js";

export interface MeasuredSummary extends Summary {
  readonly metrics: Readonly<Record<string, number>>;
}

/** The summaries of the two runs, and where the second one lies. `cleanUp` of lockstep-process.js removes both. */
export async function trainWithOneAndThree(
  job: string,
  settings: Readonly<Record<string, string | number>>,
): Promise<{ readonly one: MeasuredSummary; readonly three: MeasuredSummary; readonly runOfThree: string }> {
  const folder = temporaryFolder();
  const flags = Object.entries(settings).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
  const train = async (workers: number) => {
    const out = join(folder, `workers-${workers}`);
    const args = ["run", job, "--workers", String(workers), "--threads", "1", "--out", out, "--quiet", ...flags];
    const { status, stderr } = await runLockstep(args);
    expect(`${status} ${stderr}`).toBe("0 ");
    return out;
  };
  const [runOfOne, runOfThree] = [await train(1), await train(3)];
  const summary = (run: string) => readSummary(run) as MeasuredSummary;
  return { one: summary(runOfOne), three: summary(runOfThree), runOfThree };
}
