/** @file The rows that answer with a host value at once. WebGPU gives nothing back without waiting, so they say what to do instead. */
import { BackendError } from "@lockstep/core";
import type { KernelTable } from "@lockstep/core/backend";

function unanswerable(row: string, advice: string): never {
  throw new BackendError(`webgpu: ${row} must answer at once, but a WebGPU device can only be waited for. ${advice}`, {
    row,
    backend: "webgpu",
  });
}

const onCpu = "Read the tensors with await and make them again on the CPU backend (tensor.data(), then tensor(...)).";

export function hostResultRows() {
  return {
    sumSquares: () =>
      unanswerable("sumSquares", `It is what clipGradNorm and orthogonalised momentum ask for. ${onCpu}`),
    findNonFinite: () => unanswerable("findNonFinite", onCpu),
    hash: () =>
      unanswerable(
        "hash",
        `Hashes of parameters and optimizer state are taken of what they hold on the host. ${onCpu}`,
      ),
  } satisfies Partial<KernelTable>;
}
