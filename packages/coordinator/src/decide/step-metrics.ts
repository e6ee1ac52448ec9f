/** @file Numbers of a step and of the run: the metrics line, its late fields, the summary. Pure. */
import type { MessageBody } from "@lockstep/protocol";
import { treeMean } from "../assignment/tree-nodes.js";
import type { CoordinatorState, Ending, StepInFlight } from "../state/coordinator-state.js";
import type { MetricsLine, RunSummary } from "../state/run-summary.js";
import type { Turn } from "./turn.js";

const numRememberedSteps = 16;

/** Writes the line of the last committed step, with what its update measured if that is known. */
export function flushMetrics(
  turn: Turn,
  measured: { readonly gradNorm: number | null; readonly learningRate: number | null } | undefined,
): void {
  const line = turn.state.pendingMetrics;
  if (line === undefined) return;
  const whole = {
    ...line,
    gradNorm: measured?.gradNorm ?? line.gradNorm,
    learningRate: measured?.learningRate ?? line.learningRate,
  };
  turn.set({ pendingMetrics: undefined, lastMetrics: whole });
  turn.do({ kind: "metrics", line: whole });
}

/** Adds to the line of the last committed step, which is not written yet. */
export function addToMetrics(turn: Turn, change: Partial<MetricsLine>): void {
  const line = turn.state.pendingMetrics;
  if (line !== undefined) turn.set({ pendingMetrics: { ...line, ...change } });
}

/** Takes the reports of a committed step into the totals and keeps its line until its update was measured. */
export function recordStep(turn: Turn, step: StepInFlight): void {
  const { state, nowMs } = turn;
  const reports = [...step.reports.values()];
  const stepMs = nowMs - step.startedAtMs;
  const mean = treeMean(
    reports.flatMap(({ losses }) => losses),
    state.plan.numMicroBatches,
  );
  const numTokens = tokensOf(reports);
  const bytesSent = reports.reduce((sum, report) => sum + report.bytesSent, 0) / reports.length;
  const perSec = 1_000 / Math.max(stepMs, 1e-3);
  turn.set({
    trainLoss: mean?.mean ?? state.trainLoss,
    recentStepMs: [...state.recentStepMs.slice(1 - numRememberedSteps), stepMs],
    totals: {
      steps: state.totals.steps + 1,
      stepMs: state.totals.stepMs + stepMs,
      numTokens: numTokens === undefined ? state.totals.numTokens : (state.totals.numTokens ?? 0) + numTokens,
      bytesSentPerWorker: state.totals.bytesSentPerWorker + bytesSent,
    },
    pendingMetrics: {
      step: step.assignment.step,
      loss: mean?.mean ?? null,
      learningRate: null,
      gradNorm: null,
      ...(numTokens === undefined ? {} : { tokensPerSec: numTokens * perSec }),
      samplesPerSec: state.plan.samplesPerStep * perSec,
      stepMs,
      computeMs: Math.max(...reports.map((report) => report.computeMs)),
      commMs: Math.max(...reports.map((report) => report.commMs)),
      worldSize: state.members.length,
      generation: state.generation,
      bytesSent,
    } satisfies MetricsLine,
  });
}

function tokensOf(reports: readonly MessageBody<"stepReport">[]): number | undefined {
  let total = 0;
  for (const { numTokens } of reports) {
    if (numTokens === null) return undefined;
    total += numTokens;
  }
  return total;
}

/** Of the committed step, where a checkpoint of it is on disk: written now, or the one that the run continued from. */
function paramsSha256Of({ plan, stored, committedStep }: CoordinatorState): string | null {
  if (stored?.step === committedStep) return stored.paramsSha256;
  return committedStep === plan.startStep ? (plan.startParamsSha256 ?? null) : null;
}

export function summaryOf(state: CoordinatorState, ending: Ending, nowMs: number): RunSummary {
  const { plan, totals } = state;
  const seconds = totals.stepMs / 1_000;
  const classes = [...state.workers.values()].flatMap((worker) =>
    worker.status === "member" && worker.ready !== undefined ? [worker.ready.numericClass] : [],
  );
  return {
    schema: 1,
    status: ending.status,
    steps: state.committedStep,
    worldSize: state.members.length,
    generation: state.generation,
    trainLoss: state.trainLoss ?? null,
    evalLoss: state.evalLoss ?? null,
    ...(state.metricValues === undefined ? {} : { metrics: state.metricValues }),
    paramsSha256: paramsSha256Of(state),
    samplesSeen: state.committedStep * plan.samplesPerStep,
    samplesPerSec: seconds > 0 ? (totals.steps * plan.samplesPerStep) / seconds : 0,
    tokensPerSec: totals.numTokens === undefined || seconds === 0 ? null : totals.numTokens / seconds,
    wallMs: nowMs - state.startedAtMs,
    bytesSentPerWorkerPerStep: totals.steps === 0 ? 0 : totals.bytesSentPerWorker / totals.steps,
    numericClasses: classes.length === 0 ? [plan.welcome.numeric] : [...new Set(classes)].sort(),
    ...(ending.status === "failed" ? { error: { code: ending.code, message: ending.message } } : {}),
  };
}
