/** @file Who has fallen silent: a suspect is logged, then evicted. A coordinator that was frozen itself blames nobody. */
import type { CoordinatorState, WorkerRecord } from "../state/coordinator-state.js";
import { evict } from "./regroup.js";
import { nameOf, type Turn } from "./turn.js";

/** A tick that comes this late was held up here: by sleep, or by a machine without time for this process. */
const maxLateMs = 400;
/** A member may be silent for this part of a usual step. */
const silentSteps = 1.5;

export function noteHeard(turn: Turn, workerId: string): void {
  const worker = turn.worker(workerId);
  if (worker === undefined) return;
  if (worker.isSuspect) {
    const silentMs = Math.round(turn.nowMs - worker.lastHeardMs);
    turn.log("heard", `${nameOf(worker)} is heard again after ${silentMs} ms`, { workerId, silentMs });
  }
  turn.update(workerId, { lastHeardMs: turn.nowMs, isSuspect: false });
}

/** When the next worker's silence means something. */
export function silenceDeadline(state: CoordinatorState): number {
  let next = Number.POSITIVE_INFINITY;
  for (const worker of state.workers.values()) next = Math.min(next, worker.lastHeardMs + nextLimit(state, worker));
  return next;
}

function nextLimit(state: CoordinatorState, worker: WorkerRecord): number {
  const { suspectMs } = state.plan.timeouts;
  return worker.isSuspect ? evictMs(state, worker) : suspectMs;
}

/** How long this worker may be silent. Only members hold others up. */
function evictMs({ plan, recentStepMs }: CoordinatorState, { status }: WorkerRecord): number {
  const { heartbeatTimeoutMs } = plan.welcome;
  if (status !== "member") return heartbeatTimeoutMs;
  const sorted = recentStepMs.toSorted((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  return Math.min(heartbeatTimeoutMs, Math.max(plan.timeouts.minEvictMs, silentSteps * median));
}

/** Before anything else is decided: was this process itself away? Then nobody else is to blame. */
export function excuseSilence(turn: Turn): void {
  const { lastEventMs, workers } = turn.state;
  const awayMs = turn.nowMs - lastEventMs;
  const expected = Math.min(turn.state.deadlineMs, silenceDeadline(turn.state));
  if (workers.size > 0 && turn.nowMs > expected + maxLateMs && awayMs > maxLateMs) {
    turn.log("late", `the coordinator itself was held up for ${Math.round(awayMs)} ms; nobody's silence counts`, {
      awayMs,
    });
    for (const { workerId } of workers.values()) turn.update(workerId, { lastHeardMs: turn.nowMs, isSuspect: false });
    turn.set({ deadlineMs: turn.state.deadlineMs + awayMs });
  }
  turn.set({ lastEventMs: turn.nowMs });
}

export function onSilenceTick(turn: Turn): void {
  for (const worker of turn.state.workers.values()) {
    const silentMs = turn.nowMs - worker.lastHeardMs;
    // The same sum as in `silenceDeadline`: a difference could round to the other side of the limit.
    if (turn.nowMs < worker.lastHeardMs + nextLimit(turn.state, worker)) continue;
    const shown = Math.round(silentMs);
    if (!worker.isSuspect) {
      turn.update(worker.workerId, { isSuspect: true });
      const limit = Math.round(evictMs(turn.state, worker));
      turn.log("suspect", `${nameOf(worker)} has said nothing for ${shown} ms; it is evicted after ${limit} ms`, {
        workerId: worker.workerId,
        name: worker.name,
        silentMs: shown,
      });
    } else evict(turn, worker, `it said nothing for ${shown} ms`);
  }
}
