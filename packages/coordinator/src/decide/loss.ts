/** @file A worker is gone, for whatever reason: what that means in each phase. */
import type { WorkerRecord } from "../state/coordinator-state.js";
import { keepForRejoin } from "./catch-up.js";
import { onLostWhileFollowing } from "./following.js";
import { regroup } from "./regroup.js";
import { fillFromSpares, onLostBefore } from "./rendezvous.js";
import { dropSnapshotOf } from "./snapshots.js";
import { commitIfComplete } from "./stepping.js";
import { nameOf, type Turn } from "./turn.js";

export function onLost(turn: Turn, worker: WorkerRecord, reason: string): void {
  if (turn.state.phase === "stopped" || turn.worker(worker.workerId) !== undefined) return;
  dropSnapshotOf(turn, worker.workerId);
  keepForRejoin(turn, worker);
  if (turn.state.phase === "ending") return;
  fillFromSpares(turn);
  if (turn.state.phase === "rendezvous") {
    if (!turn.state.hasBegun) onLostBefore(turn, worker, reason);
    return;
  }
  if (worker.status !== "member" || !turn.state.members.includes(worker.workerId)) return;
  switch (turn.state.phase) {
    case "linking":
      regroup(turn, `${nameOf(worker)} was lost while the members dialled (${reason})`);
      return;
    case "stepping":
      onLostWhileStepping(turn, worker, reason);
      return;
    case "following":
      onLostWhileFollowing(turn, worker);
      return;
    default:
      return;
  }
}

/** If every survivor has reported the same bits the step counts; else the survivors compute what is missing. */
function onLostWhileStepping(turn: Turn, lost: WorkerRecord, reason: string): void {
  commitIfComplete(turn);
  const { phase, step, committedStep } = turn.state;
  if (phase !== "stepping" || step === undefined || step.assignment.step !== committedStep + 1) return;
  const isOfOldGeneration = !turn.state.members.includes(lost.workerId);
  if (isOfOldGeneration) return;
  regroup(turn, `${nameOf(lost)} was lost in step ${step.assignment.step} (${reason})`);
}
