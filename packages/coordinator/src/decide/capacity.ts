/** @file How many workers a run can use. Pure. */
import type { CoordinatorState } from "../state/coordinator-state.js";

/** Most members: the plan's limit, and never more than there are micro-batches. */
export function memberLimit({ plan }: CoordinatorState): number {
  return Math.min(plan.maxWorkers, plan.numMicroBatches);
}

/** Workers that take part, or are on their way to. */
export function numTaken({ workers }: CoordinatorState): number {
  return [...workers.values()].filter(({ status }) => status !== "spare").length;
}
