/** @file An evaluation as messages: as many as it takes for none to be large. Pure. */
import { type MessageBody, maxMetricStateBytes } from "@lockstep/protocol";
import type { EvaluatedMicroBatch } from "../engine/compute-engine.js";

/**
 * @param results in ascending order within each range of the order.
 * @returns at least one message; each holds whole micro-batches with at most maxMetricStateBytes of states.
 */
export function evaluatedMessages(
  place: Pick<MessageBody<"evaluated">, "step" | "generation" | "evalMs">,
  results: readonly EvaluatedMicroBatch[],
): MessageBody<"evaluated">[] {
  const messages: MessageBody<"evaluated">[] = [];
  let losses: MessageBody<"evaluated">["losses"] = [];
  let states: [number, Uint8Array<ArrayBuffer>][] = [];
  let numBytes = 0;
  const flush = (): void => {
    messages.push({ ...place, losses, ...(states.length === 0 ? {} : { states }) });
    [losses, states, numBytes] = [[], [], 0];
  };
  for (const [m, sum, weight, state] of results) {
    if (losses.length > 0 && numBytes + (state?.byteLength ?? 0) > maxMetricStateBytes) flush();
    losses.push([m, sum, weight]);
    if (state !== undefined) states.push([m, state]);
    numBytes += state?.byteLength ?? 0;
  }
  flush();
  return messages;
}
