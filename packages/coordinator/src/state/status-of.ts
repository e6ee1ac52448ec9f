/** @file How a run is, for people who ask: `lockstep status`. Pure. */
import type { CoordinatorState, WorkerRecord } from "./coordinator-state.js";
import type { StatusReport, StatusWorker } from "./status-report.js";

export function statusOf(state: CoordinatorState, nowMs: number): StatusReport {
  const { plan, lastMetrics, stored, best } = state;
  const { welcome } = plan;
  const sorted = state.recentStepMs.toSorted((a, b) => a - b);
  return {
    schema: 1,
    runId: welcome.runId,
    term: welcome.term,
    jobName: welcome.jobName,
    phase: state.phase,
    step: state.committedStep,
    stopStep: plan.stopStep,
    generation: state.generation,
    attempt: state.step?.assignment.attempt ?? 0,
    waiting: waitingOf(state, nowMs),
    workers: [...state.workers.values()].sort(byPlace(state)).map((worker) => workerOf(state, worker, nowMs)),
    banned: [...state.banned].map(([workerId, { name, reason }]) => ({ workerId, name, reason })),
    lastStep:
      lastMetrics === undefined
        ? null
        : {
            stepMs: lastMetrics.stepMs,
            computeMs: lastMetrics.computeMs,
            commMs: lastMetrics.commMs,
            bytesSent: lastMetrics.bytesSent,
            tokensPerSec: lastMetrics.tokensPerSec ?? null,
            samplesPerSec: lastMetrics.samplesPerSec,
          },
    medianStepMs: sorted[Math.floor(sorted.length / 2)] ?? null,
    trainLoss: state.trainLoss ?? null,
    evalLoss: state.evalLoss ?? null,
    metrics: state.metricValues ?? null,
    checkpoint:
      stored === undefined
        ? null
        : { step: stored.step, ageMs: nowMs - state.storedAtMs, reason: stored.reasons.join(", ") },
    bestCheckpoint: best?.isStored === true ? { step: best.step, evalLoss: best.evalLoss } : null,
    checkpointError: state.checkpointError ?? null,
    wallMs: nowMs - state.startedAtMs,
  };
}

function workerOf(state: CoordinatorState, worker: WorkerRecord, nowMs: number): StatusWorker {
  const rank = worker.status === "member" ? state.members.indexOf(worker.workerId) : -1;
  const nodes = (state.step?.assignment.nodesByRank ?? state.nodesByRank)[rank] ?? [];
  const { lastReport } = worker;
  return {
    workerId: worker.workerId,
    name: worker.name,
    status: worker.isSuspect ? "suspect" : worker.status,
    rank: rank < 0 ? null : rank,
    step: worker.status === "member" ? state.committedStep : (worker.held?.step ?? null),
    numericClass: worker.ready?.numericClass ?? null,
    platform: worker.hello.platform,
    microBatches: nodes.reduce((sum, [lo, hi]) => sum + hi - lo, 0),
    microBatchMs: worker.microBatchMs ?? null,
    silentMs: Math.max(0, nowMs - worker.lastHeardMs),
    strikes: state.strikes.get(worker.workerId) ?? 0,
    computeMs: lastReport?.computeMs ?? null,
    commMs: lastReport?.commMs ?? null,
    bytesSent: lastReport?.bytesSent ?? null,
  };
}

function waitingOf(state: CoordinatorState, nowMs: number): string | null {
  if (state.phase !== "rendezvous") return null;
  const needed = state.hasBegun ? state.plan.minWorkersToGoOn : state.plan.minWorkers;
  const numThere = [...state.workers.values()].filter(({ status }) => status !== "spare").length;
  const untilMs = (state.waitingSinceMs ?? state.startedAtMs) + state.plan.timeouts.joinMs;
  const seconds = Math.max(0, Math.round((untilMs - nowMs) / 1_000));
  return `${numThere} of at least ${needed} workers are there; the run waits up to ${seconds} s more`;
}

function byPlace(state: CoordinatorState) {
  const place = ({ workerId, status, order }: WorkerRecord): number =>
    status === "member" ? state.members.indexOf(workerId) : 1_000_000 + order;
  return (a: WorkerRecord, b: WorkerRecord): number => place(a) - place(b);
}
