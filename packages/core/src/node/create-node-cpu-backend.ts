/** @file The CPU backend in Node: threads, and relaxed SIMD where Node hides it behind a flag. */
import { availableParallelism } from "node:os";
import { setFlagsFromString } from "node:v8";
import { CpuBackend, createCpuMemory } from "../cpu/cpu-backend.js";
import type { CpuNumericClass } from "../cpu/kernel.js";
import { maxThreads } from "../cpu/memory-layout.js";
import { hasRelaxedSimd } from "../cpu/numeric-class.js";
import { ValueError } from "../errors.js";
import { WorkerThreadTeam } from "./worker-thread-team.js";

export interface NodeCpuBackendOptions {
  /** Default "strict". */
  readonly numeric?: CpuNumericClass;
  /** Threads that compute, the calling one included; default 1. */
  readonly threads?: number;
  /** Most bytes the memory may grow to; default 4 GiB. */
  readonly maxBytes?: number;
  /** Splits launches into pieces of at most so many items, which changes no bit: for tests. Default: as is fastest. */
  readonly maxGrain?: number;
  /** Shared memory to live in, made by `createCpuMemory`, so that another thread can see it; taken over as a whole. */
  readonly memory?: WebAssembly.Memory;
}

export interface NodeCpuBackend extends CpuBackend {
  /** Absent with one thread. */
  readonly team: WorkerThreadTeam | undefined;
}

/** Node 20 has relaxed SIMD behind this flag, later versions without. */
const relaxedSimdFlag = "--experimental-wasm-relaxed-simd";
/** About 20 us of looking. */
const numSpins = 4_000;

/**
 * A CPU backend whose memory is shared, with `threads - 1` helper threads.
 *
 * @throws {ValueError} E_VALUE when threads is not an integer in 1..64.
 * @throws {BackendError} E_NUMERIC_CLASS when `numeric: "fused"` and this engine cannot be it, with the reason.
 */
export function createNodeCpuBackend(options: NodeCpuBackendOptions = {}): NodeCpuBackend {
  const threads = options.threads ?? 1;
  if (!Number.isInteger(threads) || threads < 1 || threads > maxThreads) {
    throw new ValueError(
      `createNodeCpuBackend: threads is ${threads}; threads must be an integer from 1 to ${maxThreads}.`,
      {
        threads,
        maxThreads,
      },
    );
  }
  const needsFlag = options.numeric === "fused" && !hasRelaxedSimd();
  if (needsFlag) setFlagsFromString(relaxedSimdFlag);
  const memory = options.memory ?? createCpuMemory({ shared: true });
  const team =
    threads === 1
      ? undefined
      : new WorkerThreadTeam({
          memory,
          numThreads: threads,
          numSpins: threads <= availableParallelism() ? numSpins : 0,
          v8Flag: needsFlag && hasRelaxedSimd() ? relaxedSimdFlag : undefined,
        });
  try {
    const { threads: _, ...rest } = options;
    const own = { ...rest, memory };
    return Object.assign(new CpuBackend(own, team), { team });
  } catch (error) {
    team?.dispose();
    throw error;
  }
}
