/** @file `lockstep evaluate RUN`: loss and metrics of the last checkpoint on the job's evaluation data. */
import { resolve } from "node:path";
import { parseOverrides } from "@lockstep/worker";
import { type ExitStatus, exitStatus } from "../exit-status.js";
import { chooseRun } from "../run-directory.js";
import { withTrainedRun } from "../with-trained-run.js";

interface EvaluateFlags {
  readonly json: boolean;
  readonly set: readonly string[];
  readonly threads?: number;
  readonly initFrom?: string;
}

export async function evaluate(path: string, flags: EvaluateFlags): Promise<ExitStatus> {
  const { runDir, checkpoint: own } = chooseRun(resolve(process.cwd(), path), path);
  const checkpoint =
    flags.initFrom === undefined ? own : chooseRun(resolve(process.cwd(), flags.initFrom), flags.initFrom).checkpoint;
  const options = { checkpoint: checkpoint.dir, threads: flags.threads, set: parseOverrides(flags.set) };
  const { evalLoss, metrics } = await withTrainedRun(runDir, options, (run) => run.evaluate());
  const names = Object.keys(metrics);
  const text = flags.json
    ? JSON.stringify({ step: checkpoint.step, evalLoss, ...(names.length === 0 ? {} : { metrics }) })
    : [
        `held-out loss at step ${checkpoint.step}: ${evalLoss.toFixed(4)}`,
        ...names.map((name) => `${name}: ${metrics[name]!.toFixed(4)}`),
      ].join("\n");
  process.stdout.write(`${text}\n`);
  return exitStatus.completed;
}
