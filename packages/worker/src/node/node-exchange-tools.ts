/** @file Arithmetic of the exchange on the memory that the socket thread and the compute thread share. */
import { createVectorPool, sumSquares, type VectorOps } from "@lockstep/collectives";
import { createVectorOps, hash128 } from "@lockstep/core";
import type { ComputeEngine } from "../engine/compute-engine.js";
import type { ExchangeTools } from "../session/session-ports.js";

/**
 * Vectors of the engine's memory run core's WebAssembly kernels; what came from a socket lies outside of it, and is added where it
 * lies, because that costs less than a copy. Both give the same bits: every operation is one f32 operation an element.
 */
export function createNodeExchangeTools(engine: ComputeEngine): ExchangeTools {
  const kernels = createVectorOps(engine.memory);
  const isInMemory = (...vectors: readonly Float32Array[]): boolean =>
    vectors.every(({ buffer }) => (buffer as unknown) instanceof SharedArrayBuffer);
  const ops: VectorOps = {
    add(out, left, right) {
      if (isInMemory(out, left, right)) kernels.add(out, left, right);
      else for (let i = 0; i < out.length; i++) out[i] = left[i]! + right[i]!;
    },
    divide(out, values, divisor) {
      if (isInMemory(out, values)) kernels.divide(out, values, divisor);
      else for (let i = 0; i < out.length; i++) out[i] = values[i]! / divisor;
    },
    findNonFinite(values) {
      if (isInMemory(values)) return kernels.findNonFinite(values);
      return values.findIndex((value) => !Number.isFinite(value));
    },
    sumSquares(values) {
      return isInMemory(values) ? kernels.sumSquares(values) : sumSquares(values);
    },
    hash(values) {
      return isInMemory(values) ? kernels.hash(values) : hashElsewhere(values);
    },
  };
  return { ops, pool: createVectorPool() };
}

function hashElsewhere(values: Float32Array): string {
  return hash128(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}
