/** @file Removes checkpoints that are no longer kept, so that no half of one is ever left under a valid name. */
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { checkpointName } from "./checkpoint-folder.js";

export async function removeCheckpoints(checkpointsDir: string, steps: readonly number[]): Promise<void> {
  for (const step of steps) {
    const path = join(checkpointsDir, checkpointName(step));
    const doomed = join(checkpointsDir, `.tmp-removed-${checkpointName(step)}`);
    await rm(doomed, { recursive: true, force: true });
    await rename(path, doomed).catch((error: { readonly code?: string }) => {
      if (error.code !== "ENOENT") throw error;
    });
    await rm(doomed, { recursive: true, force: true });
  }
}
