/** @file Who is sent out of a generation, and how the others go on: in a new one, or waiting for more. */
import type { CarriedStep, WorkerRecord } from "../state/coordinator-state.js";
import { memberLimit } from "./capacity.js";
import { startGeneration } from "./generation.js";
import { nameOf, type Turn } from "./turn.js";

/** Sends a worker away that may come back. */
export function evict(turn: Turn, worker: WorkerRecord, why: string): void {
  turn.log("evicted", `${nameOf(worker)} is evicted: ${why}; it may come back`, {
    workerId: worker.workerId,
    name: worker.name,
  });
  const message = `this worker was evicted: ${why}`.slice(0, 4_000);
  turn.send(worker.workerId, { name: "notice", body: { code: "EVICTED", message } });
  turn.do({ kind: "close", workerId: worker.workerId, reason: "evicted" });
  turn.lose(worker, why);
}

/** A new generation of the members that are left and of whoever is level; below the least number, the run waits. */
export function regroup(turn: Turn, why: string): void {
  const { plan, committedStep } = turn.state;
  carryStep(turn);
  const level = turn
    .withStatus("joining")
    .filter(({ held }) => held?.step === committedStep && isKnownState(turn, held.stateHash));
  const members = [...turn.liveMembers(), ...level].slice(0, memberLimit(turn.state));
  if (members.length >= plan.minWorkersToGoOn) startGeneration(turn, members, why);
  else waitForWorkers(turn, why);
}

function isKnownState(turn: Turn, stateHash: string): boolean {
  const known = turn.state.stateHashes.get(turn.state.committedStep);
  return known === stateHash;
}

/** What a step under way leaves for the generation that begins it again. */
function carryStep(turn: Turn): void {
  const { step, members } = turn.state;
  if (step === undefined) return;
  const carried: CarriedStep = {
    step: step.assignment.step,
    startedAtMs: step.startedAtMs,
    nodesByWorker: new Map(members.map((id, rank) => [id, step.assignment.nodesByRank[rank] ?? []])),
    disputes: step.disputes,
    isVerified: step.isVerified,
  };
  turn.set({ carried });
}

/** Too few are left: those that are keep their state, and the run goes on when more come. */
function waitForWorkers(turn: Turn, why: string): void {
  const { state } = turn;
  const { generation, committedStep, step } = state;
  // Each answers with the state it holds: that of the last step may not be known yet.
  const attempt = step?.assignment.attempt ?? 0;
  const body = { step: committedStep + 1, generation, attempt, reason: why.slice(0, 4_000) };
  for (const { workerId } of turn.liveMembers()) {
    turn.send(workerId, { name: "abortStep", body });
    turn.update(workerId, { status: "ready", held: undefined });
  }
  const untilMs = turn.nowMs + state.plan.timeouts.joinMs;
  turn.set({
    phase: "rendezvous",
    members: [],
    step: undefined,
    follow: undefined,
    waitingSinceMs: turn.nowMs,
    deadlineMs: untilMs,
  });
  const numThere = turn.withStatus("ready").length;
  const seconds = Math.round(state.plan.timeouts.joinMs / 1_000);
  const message = `${why}; ${numThere} of at least ${state.plan.minWorkersToGoOn} workers are there (--min-workers), the run waits up to ${seconds} s for more`;
  turn.log("waiting", message, { waitMs: state.plan.timeouts.joinMs });
  for (const worker of turn.state.workers.values())
    turn.send(worker.workerId, { name: "notice", body: { code: "WAITING", message: message.slice(0, 4_000) } });
}
