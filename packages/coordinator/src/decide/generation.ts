/** @file A generation begins: ranks, links, routes, and its first step. */
import type { MessageBody } from "@lockstep/protocol";
import { assignMicroBatches } from "../assignment/assign-micro-batches.js";
import type { CoordinatorState, WorkerRecord } from "../state/coordinator-state.js";
import { fail } from "./ending.js";
import { nameOf, type Turn } from "./turn.js";

/** A step may take this many times the slowest recent one. */
const slowestStepFactor = 20;

export function startGeneration(turn: Turn, members: readonly WorkerRecord[], why: string): void {
  const { plan } = turn.state;
  for (const worker of turn.state.workers.values()) {
    turn.setWorker({ ...worker, status: members.some((m) => m.workerId === worker.workerId) ? "member" : "spare" });
  }
  const generation = turn.state.generation + 1;
  const reason = `${why}; it begins after step ${turn.state.committedStep}`;
  turn.set({
    phase: "linking",
    generation,
    attempt: 0,
    members: members.map(({ workerId }) => workerId),
    nodesByRank: assignMicroBatches({
      numMicroBatches: plan.numMicroBatches,
      microBatchMs: members.map(() => 1),
    }).map((nodes) => nodes.map(([lo, hi]): [number, number] => [lo, hi])),
    links: new Map(),
    recentStepMs: [],
    deadlineMs: turn.nowMs + plan.timeouts.linkMs,
  });
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
    reason,
  };
  turn.do({ kind: "enterGeneration", generation, members: body.members });
  turn.log("generation", `generation ${generation}: ${members.length} workers; ${reason}`, {
    worldSize: members.length,
    members: members.map(({ workerId, name }, rank) => ({ rank, workerId, name })),
    nodesByRank: turn.state.nodesByRank,
  });
  turn.sendMembers({ name: "startGeneration", body });
}

export function onLinkReport(turn: Turn, worker: WorkerRecord, body: MessageBody<"linkReport">): void {
  const { state } = turn;
  if (state.phase !== "linking" || body.generation !== state.generation) return;
  const links = new Map(state.links).set(worker.workerId, body.links);
  turn.set({ links });
  if (links.size < state.members.length) return;
  const relayPairs = relayPairsOf(turn.state);
  const { generation, members } = state;
  const reason =
    relayPairs.length === 0
      ? `all pairs of generation ${generation} talk directly`
      : `${relayPairs.length} of ${members.length * (members.length - 1)} ordered pairs of generation ${generation} go through the relay: ${relayPairs.map(([from, to]) => `${from}->${to}`).join(" ")}; ${firstLinkReason(turn.state)}`;
  turn.log("links", reason, { relayPairs });
  turn.sendMembers({ name: "routes", body: { generation, relayPairs } });
  beginStep(turn);
}

/** The receiver dials: a pair [from, to] is direct when `to` could dial `from`. */
function relayPairsOf(state: CoordinatorState): [number, number][] {
  return state.members.flatMap((workerId, to) =>
    state.members.flatMap((_, from): [number, number][] => {
      const link = state.links.get(workerId)?.find(({ rank }) => rank === from);
      return from === to || link?.isDirect === true ? [] : [[from, to]];
    }),
  );
}

function firstLinkReason(state: CoordinatorState): string {
  const reasons = [...state.links.values()].flat().flatMap(({ isDirect, reason }) => (isDirect ? [] : [reason ?? ""]));
  return reasons[0] ?? "they reported no link";
}

/** Assigns the step after the last committed one. */
export function beginStep(turn: Turn): void {
  const assignment = nextAssignment(turn.state);
  turn.set({ step: { assignment, startedAtMs: turn.nowMs, reports: new Map() }, phase: "stepping", follow: undefined });
  turn.set({ deadlineMs: turn.nowMs + stepTimeoutMs(turn.state) });
  turn.sendMembers({ name: "assign", body: { assignment } });
}

export function nextAssignment(state: CoordinatorState) {
  const { generation, attempt, nodesByRank } = state;
  return { step: state.committedStep + 1, generation, attempt, nodesByRank };
}

export function stepTimeoutMs(state: CoordinatorState): number {
  const { firstStepMs, minStepMs } = state.plan.timeouts;
  if (state.recentStepMs.length === 0) return firstStepMs;
  return Math.max(minStepMs, slowestStepFactor * Math.max(...state.recentStepMs));
}

export function onLinkingTick(turn: Turn): void {
  const { state } = turn;
  const missing = turn.liveMembers().filter(({ workerId }) => !state.links.has(workerId));
  const message = `links: ${missing.map(nameOf).join(", ")} did not report its links within ${state.plan.timeouts.linkMs} ms (linkMs, generation ${state.generation}); every member must. Look at its own log.`;
  fail(turn, "E_LINK_TIMEOUT", message);
}
