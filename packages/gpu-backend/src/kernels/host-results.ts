/** @file The rows that answer with a host value at once. WebGPU gives nothing back without waiting: they name what to call (late-results.ts). */
import { BackendError } from "@lockstep/core";
import type { KernelTable } from "@lockstep/core/backend";

function unanswerable(row: string, advice: string): never {
  throw new BackendError(`webgpu: ${row} must answer at once, but a WebGPU device can only be waited for. ${advice}`, {
    row,
    backend: "webgpu",
  });
}

export function hostResultRows() {
  return {
    sumSquares: () => unanswerable("sumSquares", "To clip gradients, call optim.clipGradNormAsync."),
    findNonFinite: () => unanswerable("findNonFinite", "Call findNonFiniteAsync."),
    hash: () => unanswerable("hash", "Call hashAsync."),
  } satisfies Partial<KernelTable>;
}
