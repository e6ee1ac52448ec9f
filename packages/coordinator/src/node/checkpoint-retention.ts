/** @file Removes checkpoints that are no longer kept. Which ones those are is decided in state/retention.ts. */
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { checkpointName, temporaryPrefix } from "./checkpoint-folder.js";

/**
 * Deletes checkpoints: first each one's name, then its files. A crash leaves it whole under its name, or under a name that
 * `recoverCheckpoints` removes.
 *
 * @returns steps of those that were there, in the given order.
 * @throws the file system's error, after the others have been deleted.
 */
export async function removeCheckpoints(checkpointsDir: string, steps: readonly number[]): Promise<number[]> {
  const results = await Promise.allSettled(steps.map((step) => removeOne(checkpointsDir, checkpointName(step))));
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return steps.filter((_, i) => (results[i] as PromiseFulfilledResult<boolean>).value);
}

async function removeOne(checkpointsDir: string, name: string): Promise<boolean> {
  const removed = join(checkpointsDir, `${temporaryPrefix}removed-${name}`);
  await rm(removed, { recursive: true, force: true });
  try {
    await rename(join(checkpointsDir, name), removed);
  } catch (error) {
    if ((error as { readonly code?: string }).code === "ENOENT") return false;
    throw error;
  }
  await rm(removed, { recursive: true, force: true });
  return true;
}
