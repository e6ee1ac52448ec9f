/** @file How long a worker waits before it dials a lost coordinator again. */

const firstPauseMs = 40;
const maxPauseMs = 2_000;
const pauseGrowth = 1.7;

/** Jittered exponential back-off: between half of the pause and all of it, by who asks. */
export function backoffMs(workerId: string, attempt: number): number {
  const pauseMs = Math.min(maxPauseMs, firstPauseMs * growthOf(attempt));
  let mixed = attempt + 1;
  for (let i = 0; i < workerId.length; i++) mixed = Math.imul(mixed ^ workerId.charCodeAt(i), 0x01000193) >>> 0;
  return pauseMs * (0.5 + (0.5 * (mixed % 1_024)) / 1_024);
}

function growthOf(attempt: number): number {
  let growth = 1;
  for (let i = 0; i < Math.min(attempt, 16); i++) growth *= pauseGrowth;
  return growth;
}
