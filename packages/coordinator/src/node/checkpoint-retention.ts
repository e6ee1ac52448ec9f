/** @file Which checkpoints go, and how they go: first out of their names, then from the disk. */
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { checkpointName, removedPrefix } from "./checkpoint-folder.js";

export interface RetentionPolicy {
  /** How many of the latest stay; 0 keeps all. */
  readonly keepLast: number;
  /** These stay beside the latest: the best one, the one that a run began from. */
  readonly protectedSteps: Iterable<number>;
}

/** Steps whose checkpoints may go, ascending. */
export function decideRetention(steps: readonly number[], { keepLast, protectedSteps }: RetentionPolicy): number[] {
  if (keepLast === 0) return [];
  const kept = new Set(protectedSteps);
  return [...new Set(steps)]
    .sort((a, b) => a - b)
    .slice(0, -keepLast)
    .filter((step) => !kept.has(step));
}

/**
 * Deletes checkpoints. A crash leaves each one whole under its name, or under a name that `recoverCheckpoints` removes; one that is
 * not there is no error.
 *
 * @throws the file system's error, when the others have been deleted.
 */
export async function removeCheckpoints(checkpointsDir: string, steps: readonly number[]): Promise<void> {
  const results = await Promise.allSettled(steps.map((step) => removeOne(checkpointsDir, checkpointName(step))));
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

async function removeOne(checkpointsDir: string, name: string): Promise<void> {
  const removed = join(checkpointsDir, `${removedPrefix}${name}`);
  await rm(removed, { recursive: true, force: true });
  try {
    await rename(join(checkpointsDir, name), removed);
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return;
    throw error;
  }
  await rm(removed, { recursive: true, force: true });
}
