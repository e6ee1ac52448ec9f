/** @file A generation begins: ranks, links, routes, and its first step. */
import type { Assignment, MessageBody } from "@lockstep/protocol";
import { assignMicroBatches } from "../assignment/assign-micro-batches.js";
import { shareOut } from "../assignment/share-out.js";
import type { CoordinatorState, HeldState, StepInFlight, WorkerRecord } from "../state/coordinator-state.js";
import { lossScaleOf } from "./loss-scale.js";
import type { Turn } from "./turn.js";

/** A step may take this many times the slowest recent one. */
const slowestStepFactor = 20;

export function startGeneration(turn: Turn, members: readonly WorkerRecord[], why: string): void {
  const { plan } = turn.state;
  const ids = members.map(({ workerId }) => workerId);
  for (const worker of turn.state.workers.values()) {
    if (ids.includes(worker.workerId)) turn.update(worker.workerId, { status: "member", sentStep: undefined });
    else if (worker.status === "ready" || worker.status === "member")
      turn.update(worker.workerId, { status: "joining" });
  }
  const generation = turn.state.generation + 1;
  const reason = `${why}; it begins after step ${turn.state.committedStep}`;
  turn.set({
    phase: "linking",
    hasBegun: true,
    waitingSinceMs: undefined,
    abandonedSinceMs: undefined,
    origin: originOf(turn.state, members[0]?.held),
    generation,
    members: ids,
    links: new Map(),
    step: undefined,
    follow: undefined,
    deadlineMs: turn.nowMs + plan.timeouts.linkMs,
  });
  turn.set({ nodesByRank: plannedNodes(turn.state) });
  const body: MessageBody<"startGeneration"> = {
    generation,
    members: members.map(({ workerId, name, hello, ticket }, rank) => ({
      rank,
      workerId,
      name,
      listenUrls: hello.listenUrls,
      ticket,
    })),
    numMicroBatches: plan.numMicroBatches,
    reason: reason.slice(0, 4_000),
  };
  turn.do({ kind: "enterGeneration", generation, members: body.members });
  turn.journal({
    kind: "membership",
    term: plan.welcome.term,
    generation,
    members: members.map(({ workerId, name }) => ({ workerId, name })),
  });
  turn.log("generation", `generation ${generation}: ${members.length} workers; ${reason}`, {
    worldSize: members.length,
    members: members.map(({ workerId, name }, rank) => ({ rank, workerId, name })),
    nodesByRank: turn.state.nodesByRank,
  });
  turn.sendMembers({ name: "startGeneration", body });
}

/** The first generation says what the run began with, where no checkpoint did. */
function originOf({ origin, committedStep, plan }: CoordinatorState, held: HeldState | undefined) {
  return origin ?? (committedStep === plan.startStep && held?.step === committedStep ? held : undefined);
}

/** By measured speed, as far as it is known: who was not measured yet counts as the mean of the others. */
function plannedNodes({ members, workers, plan }: CoordinatorState): Assignment["nodesByRank"] {
  const nodes = assignMicroBatches({ numMicroBatches: plan.numMicroBatches, microBatchMs: speedsOf(members, workers) });
  return mutable(nodes);
}

function speedsOf(members: readonly string[], workers: CoordinatorState["workers"]): number[] {
  const known = members.flatMap((id) => workers.get(id)?.microBatchMs ?? []);
  const mean = known.length === 0 ? 1 : known.reduce((a, b) => a + b, 0) / known.length;
  return members.map((id) => workers.get(id)?.microBatchMs ?? mean);
}

/** Least part of a step that another plan must save to be taken. */
const worthwhile = 0.05;

/** Follows the measured speeds, where that saves enough. */
export function replan(turn: Turn): void {
  const { state } = turn;
  const { members, workers } = state;
  if (members.some((id) => workers.get(id)?.microBatchMs === undefined)) return;
  const speeds = speedsOf(members, workers);
  const slowest = (nodes: Assignment["nodesByRank"]): number =>
    Math.max(...nodes.map((own, rank) => own.reduce((sum, [lo, hi]) => sum + hi - lo, 0) * speeds[rank]!));
  const next = plannedNodes(state);
  const [before, after] = [slowest(state.nodesByRank), slowest(next)];
  if (after > before * (1 - worthwhile)) return;
  turn.set({ nodesByRank: next });
  const shares = next.map((own) => own.reduce((sum, [lo, hi]) => sum + hi - lo, 0));
  turn.log(
    "shares",
    `micro-batches by rank are now ${shares.join(", ")}: their slowest part takes ${Math.round(after)} instead of ${Math.round(before)} ms`,
    {
      nodesByRank: next,
      microBatchMs: speeds,
    },
  );
}

/** The same for both directions. */
export function pairOf(a: string, b: string): string {
  return [a, b].sort().join(" ");
}

/** Assigns the step after the last committed one. */
export function beginStep(turn: Turn): void {
  const { state } = turn;
  const carried = state.carried?.step === state.committedStep + 1 ? state.carried : undefined;
  if (carried === undefined) replan(turn);
  const nodesByRank = carried === undefined ? turn.state.nodesByRank : carriedNodes(state, carried);
  const assignment: Assignment = {
    step: state.committedStep + 1,
    generation: state.generation,
    attempt: 0,
    nodesByRank,
    ...lossScaleOf(state),
  };
  turn.set({
    phase: "stepping",
    follow: undefined,
    carried: undefined,
    step: {
      ...freshStep(assignment, carried?.startedAtMs ?? turn.nowMs),
      disputes: carried?.disputes ?? [],
      isVerified: carried?.isVerified ?? false,
    },
  });
  turn.set({ deadlineMs: turn.nowMs + stepTimeoutMs(turn.state) });
  turn.sendMembers({ name: "assign", body: { assignment } });
}

export function freshStep(assignment: Assignment, startedAtMs: number): StepInFlight {
  return {
    assignment,
    startedAtMs,
    reports: new Map(),
    progress: new Map(),
    disputes: [],
    verification: undefined,
    isVerified: false,
    numRescues: 0,
  };
}

function carriedNodes(state: CoordinatorState, carried: NonNullable<CoordinatorState["carried"]>) {
  const kept = state.members.map((id) => carried.nodesByWorker.get(id) ?? []);
  return mutable(
    shareOut({
      numMicroBatches: state.plan.numMicroBatches,
      kept,
      microBatchMs: speedsOf(state.members, state.workers),
      isForbidden: (rank, range) => isDisputed(carried.disputes, state.members[rank]!, range),
    }),
  );
}

export function isDisputed(
  disputes: StepInFlight["disputes"],
  workerId: string,
  [lo, hi]: readonly [number, number],
): boolean {
  return disputes.some((dispute) => dispute.workerId === workerId && lo < dispute.hi && dispute.lo < hi);
}

/** The same step once more in the same generation, with other nodes. */
export function beginAttempt(
  turn: Turn,
  change: Partial<StepInFlight> & { nodesByRank?: Assignment["nodesByRank"] },
  why: string,
): void {
  const step = turn.state.step!;
  const { nodesByRank, ...rest } = change;
  const disputes = rest.disputes ?? step.disputes;
  const before = step.assignment;
  const { members, workers, plan } = turn.state;
  const assignment: Assignment = {
    ...before,
    attempt: before.attempt + 1,
    nodesByRank:
      nodesByRank ??
      mutable(
        shareOut({
          numMicroBatches: plan.numMicroBatches,
          kept: before.nodesByRank,
          microBatchMs: speedsOf(members, workers),
          isForbidden: (rank, range) => isDisputed(disputes, members[rank]!, range),
        }),
      ),
  };
  turn.sendMembers({
    name: "abortStep",
    body: { step: before.step, generation: before.generation, attempt: before.attempt, reason: why.slice(0, 4_000) },
  });
  turn.set({ step: { ...step, ...rest, assignment, reports: new Map(), progress: new Map() } });
  turn.set({ deadlineMs: turn.nowMs + stepTimeoutMs(turn.state) });
  turn.log("attempt", `step ${before.step}, attempt ${assignment.attempt}: ${why}`, {
    attempt: assignment.attempt,
    nodesByRank: assignment.nodesByRank,
  });
  turn.sendMembers({ name: "assign", body: { assignment } });
}

/** Everyone's time for one micro-batch, by rank. */
export function memberSpeeds({ members, workers }: CoordinatorState): number[] {
  return speedsOf(members, workers);
}

export function mutable(nodes: readonly (readonly (readonly [number, number])[])[]): Assignment["nodesByRank"] {
  return nodes.map((own) => own.map(([lo, hi]): [number, number] => [lo, hi]));
}

export function stepTimeoutMs(state: CoordinatorState): number {
  const { firstStepMs, minStepMs } = state.plan.timeouts;
  if (state.recentStepMs.length === 0) return firstStepMs;
  return Math.max(minStepMs, slowestStepFactor * Math.max(...state.recentStepMs));
}
