/** @file `lockstep evaluate RUN`: loss and metrics of the last checkpoint on the job's evaluation data. */
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseOverrides } from "@lockstep/worker";
import { loadRunForInference } from "@lockstep/worker/node";
import { type ExitStatus, exitStatus } from "../exit-status.js";
import { resolveRoom } from "../job/resolve-room.js";
import { chooseRun } from "../run-directory.js";

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
  const tempDir = mkdtempSync(join(tmpdir(), "lockstep-evaluate-"));
  const run = await loadRunForInference(runDir, {
    checkpoint: checkpoint.dir,
    resolveRoom,
    tempDir,
    threads: flags.threads ?? availableParallelism(),
    set: parseOverrides(flags.set),
  });
  try {
    const { evalLoss, metrics } = run.evaluate();
    const names = Object.keys(metrics);
    const text = flags.json
      ? JSON.stringify({ step: checkpoint.step, evalLoss, ...(names.length === 0 ? {} : { metrics }) })
      : [
          `held-out loss at step ${checkpoint.step}: ${evalLoss.toFixed(4)}`,
          ...names.map((name) => `${name}: ${metrics[name]!.toFixed(4)}`),
        ].join("\n");
    process.stdout.write(`${text}\n`);
    return exitStatus.completed;
  } finally {
    run.dispose();
    rmSync(tempDir, { recursive: true, force: true });
  }
}
