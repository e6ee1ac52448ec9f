/** @file A run's model, loaded for as long as a command uses it. */
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { type LoadedRun, loadRunForInference } from "@lockstep/worker/node";
import { resolveRoom } from "./job/resolve-room.js";

export interface TrainedRunOptions {
  /** Folder of the checkpoint. */
  readonly checkpoint: string;
  /** Default: all cores. */
  readonly threads: number | undefined;
  /** Keys of the configuration to set otherwise. */
  readonly set?: Readonly<Record<string, string>>;
}

/** Gives `use` the run with its model, and frees both afterwards, also where loading fails. @throws as loadRunForInference and `use`. */
export async function withTrainedRun<T>(
  runDir: string,
  { checkpoint, threads, set }: TrainedRunOptions,
  use: (run: LoadedRun) => T,
): Promise<T> {
  const tempDir = mkdtempSync(join(tmpdir(), "lockstep-trained-"));
  try {
    const run = await loadRunForInference(runDir, {
      checkpoint,
      resolveRoom,
      tempDir,
      threads: threads ?? availableParallelism(),
      ...(set === undefined ? {} : { set }),
    });
    try {
      return use(run);
    } finally {
      run.dispose();
    }
  } finally {
    rmSync(tempDir, { recursive: true, force: true });
  }
}
