/**
 * @file Two workers of which one is four times slower: it is stopped for 15 of every 20 ms, from outside. What they reach together over
 * the sum of what each reaches alone.
 */
import type { TrainingGroup } from "../../../tests/fault/lib/training-group.js";
import { pause } from "../../../tests/fault/lib/wait-until.js";
import { type MeasureOptions, startGroup, stepMsOf, timeOf } from "./measure-faults.js";
import type { RecoveryFigure } from "./recovery-report.js";

const runMs = 5;
const stopMs = 15;
const warmUpSteps = 15;
const measuredSteps = 40;
const limitMs = 300_000;

export async function measureSlowWorker(
  options: Pick<MeasureOptions, "folder" | "log">,
): Promise<readonly RecoveryFigure[]> {
  options.log("recovery: one worker alone");
  const fast = await stepsPerSec(options, "fast-alone", ["fast"], undefined);
  options.log("recovery: the slowed worker alone");
  const slow = await stepsPerSec(options, "slow-alone", ["slow"], "slow");
  options.log("recovery: both together");
  const both = await stepsPerSec(options, "both", ["fast", "slow"], "slow");
  const share = both / (fast + slow);
  return [
    {
      ...{ name: "two workers, one slowed 4x", metric: "throughput / sum of both alone", unit: "x", values: [share] },
      goal: { text: "at least 0.80", isMet: share >= 0.8 },
    },
    { name: "two workers, one slowed 4x", metric: "slowed alone / fast alone", unit: "x", values: [slow / fast] },
  ];
}

async function stepsPerSec(
  options: Pick<MeasureOptions, "folder">,
  name: string,
  workers: readonly string[],
  slowed: string | undefined,
): Promise<number> {
  const group = await startGroup(options, { name, workers, minWorkers: workers.length });
  const cycle = slowed === undefined ? undefined : dutyCycle(group, slowed);
  try {
    await group.waitForProgress(warmUpSteps, limitMs);
    const first = group.step;
    await group.waitForStep(first + measuredSteps, limitMs);
    const times = group
      .events()
      .filter(({ type, step }) => type === "commit" && step >= first)
      .map(timeOf);
    return (1_000 * (times.length - 1)) / (times.at(-1)! - times[0]!);
  } catch (error) {
    throw new Error(`recovery: ${name}, steps of about ${stepMsOf(group)} ms`, { cause: error });
  } finally {
    await cycle?.stop();
    await group.dispose();
  }
}

function dutyCycle(group: TrainingGroup, name: string): { stop(): Promise<void> } {
  let isStopped = false;
  const cycle = async () => {
    while (!isStopped) {
      group.signal(name, "SIGSTOP");
      await pause(stopMs);
      group.signal(name, "SIGCONT");
      await pause(runMs);
    }
  };
  const ended = cycle();
  return {
    stop: () => {
      isStopped = true;
      return ended;
    },
  };
}
