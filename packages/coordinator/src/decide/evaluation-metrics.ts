/**
 * @file Metrics of an evaluation. Their states are bytes that only the job can read: here they are counted, kept by micro-batch, and
 * given to the plan's `metricValues` once all are there, in the order of the micro-batches.
 */
import { type MessageBody, maxEvaluationStateBytes } from "@lockstep/protocol";
import type { FollowUp } from "../state/coordinator-state.js";
import type { BestBy } from "../state/run-plan.js";
import { fail } from "./ending.js";
import type { Turn } from "./turn.js";

export type MetricsByName = Readonly<Record<string, number>>;

/** The states so far and those of a message. A run whose metrics keep too much ends, and says so. */
export function takeStates(turn: Turn, { step, states }: FollowUp, body: MessageBody<"evaluated">): FollowUp["states"] {
  if (body.states === undefined) return states;
  const own = new Set(body.losses.map(([m]) => m));
  const all = new Map(states);
  for (const [m, state] of body.states) if (own.has(m)) all.set(m, state);
  const numBytes = [...all.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
  if (numBytes <= maxEvaluationStateBytes) return all;
  const message = `metrics: the evaluation of step ${step} gave ${numBytes} bytes of states by micro-batch ${all.size}; all together must be at most ${maxEvaluationStateBytes} (maxEvaluationStateBytes). Evaluate on fewer samples, or leave out a metric that keeps every score.`;
  fail(turn, "E_METRIC_STATE", message);
  return new Map();
}

/** Values over the whole evaluation; undefined when there are none, and then the run has ended. */
export function metricValuesOf(turn: Turn, numMicroBatches: number): MetricsByName | undefined {
  const { plan, follow } = turn.state;
  if (plan.metricValues === undefined) return {};
  const { states, step } = follow!;
  const inOrder = Array.from({ length: numMicroBatches }, (_, m) => states.get(m));
  const missing = inOrder.indexOf(undefined);
  try {
    if (missing >= 0)
      throw new Error(
        `metrics: micro-batch ${missing} of ${numMicroBatches} came without its state; each must have one. Let all workers run the same version.`,
      );
    return plan.metricValues(inOrder as Uint8Array[]);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    fail(turn, "E_METRICS", `evaluation of step ${step}: ${text}`);
    return undefined;
  }
}

/** What an evaluation is compared by; undefined when it has no such metric. */
export function comparedValue(
  { evalLoss, metrics }: { readonly evalLoss: number; readonly metrics: MetricsByName | undefined },
  bestBy: BestBy | undefined,
): number | undefined {
  return bestBy === undefined ? evalLoss : metrics?.[bestBy.metric];
}

export function isBetter(value: number, than: number, bestBy: BestBy | undefined): boolean {
  return bestBy?.mode === "max" ? value > than : value < than;
}

/** For whoever judges the run. */
export function judgedMetrics({ state }: Turn): { readonly metrics?: MetricsByName } {
  return state.metricValues === undefined ? {} : { metrics: state.metricValues };
}
