/** @file What can happen to the coordinator, and what it can want done. The shell in src/node turns sockets and files into these. */
import type { CoordinatorMessage, Member, MessageBody, NamedBlob, WorkerMessage } from "@lockstep/protocol";
import type { CoordinatorState, StoredCheckpoint } from "./coordinator-state.js";
import type { JournalEntry } from "./journal-entry.js";
import type { EventLine, MetricsLine, RunSummary } from "./run-summary.js";

export type CoordinatorEvent =
  /** An authenticated worker said hello; one of the same id that was here is gone. The ticket is fresh randomness. */
  | {
      readonly kind: "joined";
      readonly workerId: string;
      readonly hello: MessageBody<"hello">;
      readonly ticket: string;
    }
  | { readonly kind: "message"; readonly workerId: string; readonly message: WorkerMessage }
  /** Something came from it, if only a heartbeat. */
  | { readonly kind: "heard"; readonly workerId: string }
  /** It broke the protocol; its socket is about to close. */
  | { readonly kind: "violated"; readonly workerId: string; readonly what: string }
  /** Its socket is gone. */
  | { readonly kind: "left"; readonly workerId: string; readonly reason: string }
  | { readonly kind: "checkpointWritten"; readonly step: number }
  | { readonly kind: "checkpointWriteFailed"; readonly step: number; readonly message: string }
  /** The answer to a `judge` effect: end the run after this step, and why; or go on. */
  | { readonly kind: "judged"; readonly step: number; readonly stop: string | null }
  /** Stop after the current step. */
  | { readonly kind: "stop"; readonly reason: string }
  /** Stop now. */
  | { readonly kind: "abort"; readonly reason: string }
  /** Something outside of the decisions makes going on impossible. */
  | { readonly kind: "broken"; readonly code: string; readonly message: string }
  /** A deadline may have passed. */
  | { readonly kind: "tick" };

export type CoordinatorEffect =
  | { readonly kind: "send"; readonly to: string; readonly message: CoordinatorMessage }
  /** Close its socket after what was sent. */
  | { readonly kind: "close"; readonly workerId: string; readonly reason: string }
  /** Whom the relay may forward for. */
  | { readonly kind: "enterGeneration"; readonly generation: number; readonly members: readonly Member[] }
  | { readonly kind: "event"; readonly line: EventLine }
  | { readonly kind: "metrics"; readonly line: MetricsLine }
  | { readonly kind: "journal"; readonly entry: JournalEntry }
  /** Nothing goes on until the caller has said whether to. */
  | {
      readonly kind: "judge";
      readonly step: number;
      readonly evalLoss: number | null;
      readonly metrics?: Readonly<Record<string, number>>;
    }
  /** The run goes on from this step: lines and checkpoints of later ones are superseded. */
  | { readonly kind: "beginAt"; readonly step: number }
  | { readonly kind: "writeCheckpoint"; readonly checkpoint: StoredCheckpoint }
  /** Workers are about to fetch the files of a checkpoint on disk. */
  | { readonly kind: "offerCheckpoint"; readonly step: number; readonly files: readonly NamedBlob[] }
  | { readonly kind: "removeCheckpoints"; readonly steps: readonly number[] }
  /** Nobody needs these blobs any more. */
  | { readonly kind: "releaseBlobs"; readonly sha256s: readonly string[] }
  | { readonly kind: "finish"; readonly summary: RunSummary };

export interface CoordinatorDecision {
  readonly state: CoordinatorState;
  readonly effects: readonly CoordinatorEffect[];
  /** Why, in words; "" when nothing was decided. */
  readonly reason: string;
}
