/** @file What must hold after every simulated run, whatever happened in it. */
import { plainSimLoop } from "@lockstep/worker/testing";
import type { Schedule } from "./schedule.js";
import type { SimOutcome } from "./simulate.js";

/** Every law that a run broke, in words; none for a run that is right. */
export function findBrokenLaws({ job, seed, faults }: Schedule, outcome: SimOutcome): string[] {
  const { summary, disk, workers, fired } = outcome;
  const plain = plainSimLoop({ seed, numMicroBatches: job.numMicroBatches, steps: job.stopStep });
  const broken: string[] = [];
  const must = (holds: boolean, what: string): void => {
    if (!holds) broken.push(what);
  };
  // Values that are not finite are computed elsewhere; where nobody else is left, the run ends and says so (L6).
  const isRightlyEnded =
    summary.error?.code === "E_NOT_FINITE" &&
    summary.worldSize === 1 &&
    fired.some((what) => what.startsWith("poison"));
  if (isRightlyEnded) {
    const saved = disk.checkpoints.get(summary.steps)?.paramsSha256;
    const known = plainSimLoop({ seed, numMicroBatches: job.numMicroBatches, steps: summary.steps }).paramsSha256;
    must(
      saved === known || summary.steps === 0,
      `step ${summary.steps} was saved as ${saved}; a plain loop has ${known}`,
    );
    return broken;
  }
  must(
    summary.status === "completed",
    `the run ended as ${summary.status}: ${summary.error?.code} ${summary.error?.message}`,
  );
  must(summary.steps === job.stopStep, `${summary.steps} of ${job.stopStep} steps were committed`);
  must(
    summary.paramsSha256 === plain.paramsSha256,
    `L1, L5: parameters ${summary.paramsSha256}, a plain loop gives ${plain.paramsSha256}`,
  );
  const steps = disk.events.filter(({ type }) => type === "commit").map(({ step }) => step);
  must(isCount(steps, job.stopStep), `L3: commits of steps ${steps.join(" ")}`);
  for (const { type, step, previousStateHash } of disk.events) {
    if (type !== "commit") continue;
    must(
      previousStateHash === plain.stateHashes[step - 1],
      `L2: state ${step - 1} is ${String(previousStateHash)}, a plain loop has ${plain.stateHashes[step - 1]}`,
    );
  }
  for (const { workerId, engine } of workers)
    must(
      (engine?.inexactSteps ?? []).length === 0,
      `L1: ${workerId} applied other gradients in steps ${engine?.inexactSteps.join(" ")}`,
    );
  must(
    isCount(
      disk.metrics.map(({ step }) => step),
      job.stopStep,
    ),
    `metrics of steps ${disk.metrics.map(({ step }) => step).join(" ")}`,
  );
  const generations = disk.events.filter(({ type }) => type === "generation").map(({ generation }) => generation);
  must(
    generations.every((generation, i) => i === 0 || generation > generations[i - 1]!),
    `generations ${generations.join(" ")}`,
  );
  must(
    fired.length === faults.length,
    `only ${fired.length} of ${faults.length} planned faults fired: ${fired.join(", ")}`,
  );
  must(
    disk.checkpoints.get(job.stopStep)?.paramsSha256 === plain.paramsSha256,
    "the last checkpoint is not there, or holds other bits",
  );
  return broken;
}

/** 1, 2, ..., last */
function isCount(steps: readonly number[], last: number): boolean {
  return steps.length === last && steps.every((step, i) => step === i + 1);
}
