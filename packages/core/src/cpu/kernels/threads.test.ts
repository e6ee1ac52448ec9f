/** @file The kernels of this folder on real threads: the same bits for 1, 2, 3, 5 and 8 (L1). */
import { afterAll, describe, expect, test } from "vitest";
import type { TensorView } from "../../backend/backend.js";
import { createNodeCpuBackend, type NodeCpuBackend } from "../../node/create-node-cpu-backend.js";
import { valuesOf, viewOf } from "../views.testkit.js";
import { expectSameBits, randomFloats } from "./measure.testkit.js";

const threadCounts = [1, 2, 3, 5, 8] as const;
const backends = new Map<string, NodeCpuBackend>();
afterAll(() => {
  for (const backend of backends.values()) backend.dispose();
});

function backendOf(numeric: "strict" | "fused", threads: number): NodeCpuBackend {
  const key = `${numeric} ${threads}`;
  const known = backends.get(key) ?? createNodeCpuBackend({ numeric, threads });
  backends.set(key, known);
  return known;
}

/** Large enough that every thread gets a piece. */
const runs: Record<string, (backend: NodeCpuBackend) => TensorView[]> = {
  matmul(backend) {
    const a = viewOf(backend, [3, 150, 300], randomFloats(3 * 150 * 300, 1));
    const b = viewOf(backend, [3, 300, 290], randomFloats(3 * 300 * 290, 2));
    const out = viewOf(backend, [3, 150, 290]);
    backend.kernels.matmul(a, b, out, { bias: viewOf(backend, [290], randomFloats(290, 3)) });
    return [out];
  },
  attention(backend) {
    const shape = [2, 4, 100, 24];
    const input = (seed: number): TensorView => viewOf(backend, shape, randomFloats(2 * 4 * 100 * 24, seed));
    const [q, k, v, dOut] = [input(1), input(2), input(3), input(4)];
    const [out, dq, dk, dv] = [input(5), input(5), input(5), input(5)];
    const probs = viewOf(backend, [2, 4, 100, 100]);
    backend.kernels.causalAttention({ q, k, v }, 0.2, { out, saved: probs });
    backend.kernels.causalAttentionBackward({ q, k, v, dOut, saved: probs }, 0.2, { dq, dk, dv });
    return [out, probs, dq, dk, dv];
  },
  softmax(backend) {
    const x = viewOf(backend, [500, 203], randomFloats(500 * 203, 1));
    const [y, z, dx, dz] = [0, 0, 0, 0].map(() => viewOf(backend, [500, 203]));
    backend.kernels.softmax(x, y!);
    backend.kernels.logSoftmax(x, z!);
    backend.kernels.softmaxBackward(x, y!, dx!);
    backend.kernels.logSoftmaxBackward(x, z!, dz!);
    return [y!, z!, dx!, dz!];
  },
  layerNorm(backend) {
    const [rows, length] = [900, 300];
    const x = viewOf(backend, [rows, length], randomFloats(rows * length, 1));
    const dOut = viewOf(backend, [rows, length], randomFloats(rows * length, 2));
    const [weight, bias] = [
      viewOf(backend, [length], randomFloats(length, 3)),
      viewOf(backend, [length], randomFloats(length, 4)),
    ];
    const [out, dx] = [viewOf(backend, [rows, length]), viewOf(backend, [rows, length])];
    const [mean, rstd] = [viewOf(backend, [rows]), viewOf(backend, [rows])];
    const [dWeight, dBias] = [viewOf(backend, [length]), viewOf(backend, [length])];
    backend.kernels.layerNorm(x, weight, bias, 1e-5, { out, mean, rstd });
    backend.kernels.layerNormBackward({ dOut, x, weight, mean, rstd }, dx, dWeight, dBias);
    return [out, mean, rstd, dx, dWeight, dBias];
  },
  crossEntropy(backend) {
    const logits = viewOf(backend, [700, 65], randomFloats(700 * 65, 1));
    const targets = viewOf(
      backend,
      [700],
      Int32Array.from({ length: 700 }, (_, n) => (n % 9 === 0 ? -1 : n % 65)),
    );
    const dLoss = viewOf(backend, [700], randomFloats(700, 2));
    const [loss, lse, dLogits] = [viewOf(backend, [700]), viewOf(backend, [700]), viewOf(backend, [700, 65])];
    backend.kernels.crossEntropy(logits, targets, -1, { loss, lse });
    backend.kernels.crossEntropyBackward({ dLoss, logits, targets, lse }, -1, dLogits);
    return [loss, lse, dLogits];
  },
  embedding(backend) {
    const ids = viewOf(
      backend,
      [2_000],
      Int32Array.from({ length: 2_000 }, (_, n) => (n * n) % 65),
    );
    const table = viewOf(backend, [65, 130], randomFloats(65 * 130, 1));
    const dOut = viewOf(backend, [2_000, 130], randomFloats(2_000 * 130, 2));
    const [out, dTable] = [viewOf(backend, [2_000, 130]), viewOf(backend, [65, 130])];
    backend.kernels.embedding(table, ids, out);
    backend.kernels.embeddingBackward(dOut, ids, dTable);
    return [out, dTable];
  },
  gather(backend) {
    const axisView = { outer: 20, axisLength: 50, inner: 30, indexLength: 70 };
    const index = viewOf(
      backend,
      [20, 70, 30],
      Int32Array.from({ length: 42_000 }, (_, i) => (i * 7) % 50),
    );
    const x = viewOf(backend, [20, 50, 30], randomFloats(30_000, 1));
    const src = viewOf(backend, [20, 70, 30], randomFloats(42_000, 2));
    const [gathered, scattered] = [viewOf(backend, [20, 70, 30]), viewOf(backend, [20, 50, 30])];
    backend.kernels.gather(x, index, axisView, gathered);
    backend.kernels.scatterAdd(index, src, axisView, scattered);
    return [gathered, scattered];
  },
};

describe.each(["strict", "fused"] as const)("%s kernels give the same bits for 1, 2, 3, 5 and 8 threads", (numeric) => {
  test.each(Object.keys(runs))("%s", (name) => {
    const results = threadCounts.map((threads) => {
      const backend = backendOf(numeric, threads);
      return runs[name]!(backend).map((view) => valuesOf(backend, view));
    });
    for (const [i, threads] of threadCounts.entries()) {
      results[i]!.forEach((values, tensor) => {
        expectSameBits(values, results[0]![tensor]!, `${name}, tensor ${tensor}, ${threads} threads`);
      });
    }
    expect(results[0]!.flat().some((values) => values.some((value) => value !== 0 && value !== 77))).toBe(true);
  });
});
