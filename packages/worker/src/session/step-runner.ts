/**
 * @file One attempt of one step: the engine computes nodes, the exchange sends each bucket as it becomes final, and both ends meet in
 * a reduced gradient that every rank holds.
 */
import { type FlatBucket, GradientExchange, type ProcessGroup } from "@lockstep/collectives";
import { type Assignment, maxNotices } from "@lockstep/protocol";
import type {
  ComputedNodes,
  ComputeEngine,
  ComputeProgress,
  EngineInfo,
  EngineNotice,
  ReadyBucket,
} from "../engine/compute-engine.js";
import type { ExchangeTools } from "./session-ports.js";
import type { StepOutcome } from "./worker-state.js";

export interface StepRunnerOptions {
  readonly engine: ComputeEngine;
  readonly info: EngineInfo;
  readonly tools: ExchangeTools;
  readonly buckets: readonly FlatBucket[];
  readonly nowMs: () => number;
}

export interface StepStart {
  /** From now to the last frame. */
  readonly deadlineMs: number;
  readonly onProgress: (progress: ComputeProgress) => void;
  readonly onNotice: (notice: EngineNotice) => void;
}

/** A step on its way. */
export interface RunningStep {
  readonly outcome: Promise<StepOutcome>;
  abort(reason: string): void;
}

export class StepRunner {
  readonly #options: StepRunnerOptions;

  constructor(options: StepRunnerOptions) {
    this.#options = options;
  }

  start(group: ProcessGroup, assignment: Assignment, { deadlineMs, onProgress, onNotice }: StepStart): RunningStep {
    const { engine, info, tools, buckets } = this.#options;
    const { step, attempt } = assignment;
    if (info.updatesOnDevice && assignment.nodesByRank.length === 1)
      return this.#startAlone(assignment, { onProgress, onNotice });
    const nodesByRank = assignment.nodesByRank.map((nodes) => nodes.map(([lo, hi]) => ({ lo, hi })));
    const exchange = new GradientExchange(group, {
      step,
      attempt,
      numMicroBatches: info.numMicroBatches,
      nodesByRank,
      buckets,
      destination: this.#floats(info.reducedAddress, 0, info.gradientFloats),
      ops: tools.ops,
      ...(tools.pool === undefined ? {} : { pool: tools.pool }),
      deadlineMs,
    });
    exchange.done.catch(() => {});
    const provide = ({ node, weight, address, bucket }: ReadyBucket): void => {
      const { offset, length } = buckets[bucket]!;
      exchange.provide({ ...node, weight }, bucket, this.#floats(address, offset, length));
    };
    const abort = (reason: string): void => {
      exchange.abort(reason);
      engine.abort();
    };
    const compute = async () => {
      try {
        const { lossScale } = assignment;
        const nodes = nodesByRank[group.rank] ?? [];
        const request = { step, nodes, ...(lossScale === undefined ? {} : { lossScale }) };
        const computed = await engine.computeNodes(request, provide, onProgress);
        computed.notices?.forEach(onNotice);
        return { computed, endedMs: this.#options.nowMs() };
      } catch (error) {
        exchange.abort("this worker failed");
        throw error;
      }
    };
    const outcome = async (): Promise<StepOutcome> => {
      const computing = compute();
      const [{ computed, endedMs }, result] = await firstFailureOf(computing, exchange.done);
      return {
        step,
        generation: assignment.generation,
        attempt,
        gradientHash: result.gradientHash,
        ...reportOf(computed),
        commMs: Math.max(0, result.timings.completedMs - endedMs),
        bytesSent: result.bytesSent,
        nodeSquares: result.nodeSquares.map(({ lo, hi, sumSquares }): [number, number, number] => [lo, hi, sumSquares]),
      };
    };
    return { outcome: outcome(), abort };
  }

  /** A step of which nobody else computes a part: its gradient stays on the device. */
  #startAlone(assignment: Assignment, { onProgress, onNotice }: Omit<StepStart, "deadlineMs">): RunningStep {
    const { engine, info } = this.#options;
    const { step, generation, attempt } = assignment;
    let abortedBy: string | undefined;
    const outcome = async (): Promise<StepOutcome> => {
      const nodes = [{ lo: 0, hi: info.numMicroBatches }];
      const computed = await engine.computeNodes({ step, nodes, isAlone: true }, () => {}, onProgress);
      computed.notices?.forEach(onNotice);
      const { gradientHash } = computed;
      if (gradientHash === undefined) throw new Error(`step ${step} was aborted: ${abortedBy ?? "it is not complete"}`);
      return {
        step,
        generation,
        attempt,
        gradientHash,
        ...reportOf(computed),
        commMs: 0,
        bytesSent: 0,
        nodeSquares: [],
      };
    };
    const abort = (reason: string): void => {
      abortedBy = reason;
      engine.abort();
    };
    return { outcome: outcome(), abort };
  }

  /** Floats [offset, offset + length) of the vector at a byte address. The memory may have grown since. */
  #floats(address: number, offset: number, length: number): Float32Array {
    const { memory } = this.#options.engine;
    const begin = address + 4 * offset;
    if (memory.buffer.byteLength < begin + 4 * length) memory.grow(0);
    return new Float32Array(memory.buffer, begin, length);
  }
}

/** What a report says of the computation. */
function reportOf(
  computed: ComputedNodes,
): Pick<StepOutcome, "losses" | "notices" | "overflows" | "numTokens" | "computeMs"> {
  const { losses, notices, numTokens, computeMs } = computed;
  return {
    losses: [...losses],
    ...(notices === undefined ? {} : { notices: notices.slice(0, maxNotices).map(fitting) }),
    ...overflowsOf(computed),
    numTokens,
    computeMs,
  };
}

/** A message that the report can carry. */
function fitting({ message, ...notice }: EngineNotice): EngineNotice {
  return { ...notice, message: message.slice(0, 4_000) };
}

/** Nothing in the report of a step without one. */
function overflowsOf({ overflows = [] }: ComputedNodes): { readonly overflows?: [number, number][] } {
  return overflows.length === 0 ? {} : { overflows: overflows.map(([m, scale]): [number, number] => [m, scale]) };
}

/** Both values; or the error of the computation if it has one, since that is what made the exchange end. */
async function firstFailureOf<A, B>(computing: Promise<A>, exchanging: Promise<B>): Promise<[A, B]> {
  const [computed, exchanged] = await Promise.allSettled([computing, exchanging]);
  if (computed.status === "rejected") throw computed.reason;
  if (exchanged.status === "rejected") throw exchanged.reason;
  return [computed.value, exchanged.value];
}
