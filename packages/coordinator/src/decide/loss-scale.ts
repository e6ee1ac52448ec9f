/**
 * @file By what the loss is multiplied before workers that compute in 16 bits go backward. Falls after an overflow to what the step needed, doubles
 * after a while without one. Of a step under way it never changes, so a micro-batch has one scale whoever computes it, and again.
 *
 * @source Micikevicius et al., "Mixed Precision Training" (ICLR 2018), section 3.2. That no step is skipped is ours: workers compute an
 *   overflowing micro-batch again.
 */
import type { CoordinatorState, StepInFlight } from "../state/coordinator-state.js";
import type { LossScalePolicy } from "../state/run-plan.js";
import { nameOf, type Turn } from "./turn.js";

/** What the assignments of a generation say besides who computes what; nothing where no member scales its loss. */
export function lossScaleOf({ lossScale, members, workers }: CoordinatorState): { readonly lossScale?: number } {
  const isUsed = members.some((id) => isScaled(workers.get(id)?.ready?.numericClass));
  return isUsed ? { lossScale: lossScale.value } : {};
}

/** Classes of devices that store in 16 bits. */
function isScaled(numericClass: string | undefined): boolean {
  return numericClass?.endsWith(":f16") === true;
}

/** Takes the overflows of a step that is being committed into the scale of the steps after it, with a line for each. */
export function adjustLossScale(turn: Turn, { assignment, reports }: StepInFlight): void {
  const { step, lossScale: used } = assignment;
  if (used === undefined) return;
  let least = used;
  for (const [workerId, { overflows = [] }] of reports) {
    const worker = turn.worker(workerId);
    for (const [microBatch, scale] of overflows) {
      for (let before = used; before > scale; before /= 2) {
        const who = worker === undefined ? workerId : nameOf(worker);
        const message = `step ${step}, micro-batch ${microBatch}: ${who} had an overflow at the loss scale ${before} and computed it again at ${before / 2}`;
        turn.log("overflow", message, {
          ofStep: step,
          microBatch,
          lossScale: before,
          nextLossScale: before / 2,
          workerId,
        });
      }
      least = Math.min(least, scale);
    }
  }
  const next = nextLossScale(turn.state.lossScale, { step, least, policy: turn.state.plan.lossScaling });
  if (next.value === turn.state.lossScale.value) return;
  turn.set({ lossScale: next });
  turn.journal({ kind: "lossScale", step, lossScale: next.value });
  const why =
    next.value < used ? "an overflow" : `${turn.state.plan.lossScaling.growthSteps} steps without an overflow`;
  turn.log("lossScale", `the loss scale is ${next.value} after step ${step}, ${used} before: ${why}`, {
    lossScale: next.value,
  });
}

/** The scale after a step of which `least` was the smallest that a micro-batch needed. Pure. */
export function nextLossScale(
  now: CoordinatorState["lossScale"],
  { step, least, policy }: { readonly step: number; readonly least: number; readonly policy: LossScalePolicy },
): CoordinatorState["lossScale"] {
  if (least < now.value) return { value: least, sinceStep: step };
  if (step - now.sinceStep < policy.growthSteps || now.value >= policy.max) return now;
  return { value: now.value * 2, sinceStep: step };
}
