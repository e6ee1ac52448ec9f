/**
 * @file The members of one generation, in rank order, and what collectives among them need: routes, clock, deadline.
 */

import type { Clock } from "../clock.js";
import { CollectiveError, type CollectivePlace, generationChangedError } from "../errors.js";
import type { FrameRouter } from "./frame-router.js";

export interface ProcessGroupOptions {
  readonly generation: number;
  /** Workers in rank order; this worker among them. */
  readonly members: readonly string[];
  readonly router: FrameRouter;
  readonly clock: Clock;
  /** For collectives that name no deadline of their own. */
  readonly deadlineMs: number;
}

export interface ProcessGroup {
  readonly generation: number;
  readonly rank: number;
  readonly worldSize: number;
  readonly members: readonly string[];
  readonly router: FrameRouter;
  readonly clock: Clock;
  readonly deadlineMs: number;
  /** Number of the next plain collective: every rank calls them in the same order. */
  nextSequence(): number;
  /** Registers what `close` ends; the returned function unregisters. */
  onClose(listener: (error: CollectiveError) => void): () => void;
  /** Ends every collective of this generation with E_GENERATION_CHANGED. */
  close(reason: string): void;
}

/**
 * Enters a generation.
 *
 * @throws {CollectiveError} E_ARGUMENT when this worker is not a member or the generation is not newer than the last.
 * @source none: ours
 */
export function createProcessGroup(options: ProcessGroupOptions): ProcessGroup {
  const { generation, members, router, clock, deadlineMs } = options;
  const { workerId } = router.transport;
  const rank = members.indexOf(workerId);
  if (rank < 0 || new Set(members).size !== members.length) {
    throw new CollectiveError(
      "E_ARGUMENT",
      `createProcessGroup: members are ${members.join(", ")}; they must be distinct and "${workerId}" one of them.`,
      { members, workerId },
    );
  }
  router.enter(generation, members);
  const listeners = new Set<(error: CollectiveError) => void>();
  let sequence = 0;
  let closedBy: CollectiveError | undefined;
  const place: CollectivePlace = { where: "processGroup", step: 0, generation, worldSize: members.length };

  return {
    generation,
    rank,
    worldSize: members.length,
    members,
    router,
    clock,
    deadlineMs,
    nextSequence: () => ++sequence,
    onClose(listener) {
      if (closedBy !== undefined) listener(closedBy);
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close(reason) {
      closedBy = generationChangedError(place, reason);
      for (const listener of [...listeners]) listener(closedBy);
      listeners.clear();
    },
  };
}
