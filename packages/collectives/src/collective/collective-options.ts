import type { BulkHeader, BulkKind } from "@lockstep/protocol";
import { emptyBulkHeader } from "@lockstep/protocol";
import type { FramePlace } from "../group/frame-router.js";
import { placeFields } from "../group/pending-collective.js";
import type { ProcessGroup } from "../group/process-group.js";

/** What every plain collective takes. All ranks call them in the same order. */
export interface CollectiveOptions {
  /** The group's by default. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
  readonly maxFrameBytes?: number;
}

/** The place of the next plain collective of a group. */
export function nextPlace(group: ProcessGroup): FramePlace {
  return { stream: "collective", generation: group.generation, step: group.nextSequence(), attempt: 0 };
}

/** A header at a place, from this rank; the rest zero. */
export function headerAt(place: FramePlace, kind: BulkKind, senderRank: number): BulkHeader {
  return { ...emptyBulkHeader, ...placeFields(place), kind, senderRank };
}
