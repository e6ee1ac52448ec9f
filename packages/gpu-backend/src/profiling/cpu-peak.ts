/** @file What the CPU backend does at most: the rate of its copy, and of a product that fits its caches. */
import { type Backend, scope, tensor, withBackend } from "@lockstep/core";
import type { Peak } from "./device-peak.js";

/** Elements of the copy: beyond the caches. */
const copyLength = 2 ** 23;
/** Rows, depth and columns of the product. */
const productSize = 384;
const numRuns = 5;

/** Measured by the backend's own rows. Takes some tens of milliseconds. */
export function measureCpuPeak(backend: Backend, nowMs: () => number): Peak {
  const best = (run: () => void): number => {
    run();
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < numRuns; i++) {
      const start = nowMs();
      run();
      least = Math.min(least, nowMs() - start);
    }
    return least / 1000;
  };
  return withBackend(backend, () =>
    scope(() => {
      const [source, copied] = [tensor(new Float32Array(copyLength)), tensor(new Float32Array(copyLength))];
      const factor = tensor(new Float32Array(productSize ** 2).fill(1 / 3), { shape: [productSize, productSize] });
      const product = tensor(new Float32Array(productSize ** 2), { shape: [productSize, productSize] });
      return {
        bytesPerSecond: (2 * 4 * copyLength) / best(() => backend.kernels.copy(source, copied)),
        flopsPerSecond: (2 * productSize ** 3) / best(() => backend.kernels.matmul(factor, factor, product, {})),
      };
    }),
  );
}
