/**
 * @file A whole run in one process and in virtual time: N workers with inline engines on a simulated network, and a coordinator that
 * does nothing but the sunny path: assigns, compares hashes, commits.
 */
import {
  createProcessGroup,
  type ExchangeResult,
  FrameRouter,
  nodesOf,
  type ProcessGroup,
  type TreeRange,
} from "@lockstep/collectives";
import { plainVectorOps, SimNetwork } from "@lockstep/collectives/testing";
import { treeSum } from "@lockstep/core";
import type { Assignment, CoordinatorMessage, MessageBody, WorkerMessage } from "@lockstep/protocol";
import type { ComputeEngine, MicroBatchSum } from "../engine/compute-engine.js";
import { runWorker, type SessionResult } from "./run-worker.js";
import type { ControlPort, PeerPort } from "./session-ports.js";

export interface SimulatedRunOptions {
  readonly numWorkers: number;
  readonly steps: number;
  readonly bucketBytes: number;
  /** State that the engines begin with. */
  readonly firstStep?: number;
  readonly createEngine: (workerId: string) => ComputeEngine;
  readonly sha256: (parts: readonly Uint8Array[]) => string;
  /** Evaluate and checkpoint after the last step. */
  readonly seed?: number;
  /** Plans faults: the network's clock has not started yet. */
  readonly plan?: (network: SimNetwork) => void;
  /** Which ranges the ranks compute; contiguous shares by default. */
  readonly assign?: (numMicroBatches: number, numWorkers: number) => TreeRange[][];
}

export interface SimulatedRun {
  readonly results: readonly SessionResult[];
  /** By step, from the first one made. */
  readonly trainLosses: readonly number[];
  readonly evalLoss: number | undefined;
  readonly paramsSha256: string | undefined;
  readonly checkpoint: ReadonlyMap<string, Uint8Array>;
  /** State hash after each step, agreed by all ranks. */
  readonly stateHashes: readonly string[];
  readonly reports: readonly MessageBody<"stepReport">[];
  readonly errors: readonly MessageBody<"workerError">[];
  readonly virtualMs: number;
  readonly firedFaults: readonly string[];
}

export async function simulateRun(options: SimulatedRunOptions): Promise<SimulatedRun> {
  const network = new SimNetwork({ seed: options.seed ?? 1 });
  const coordinator = new SunnyCoordinator(options, network);
  options.plan?.(network);
  const sessions = coordinator.members.map((workerId, rank) => {
    const transport = network.createTransport(workerId);
    const router = new FrameRouter(transport);
    let group: ProcessGroup | undefined;
    const peers: PeerPort = {
      link: async (start) =>
        start.members.filter((m) => m.rank !== rank).map((m) => ({ rank: m.rank, isDirect: true, reason: null })),
      route: async ({ generation }) => {
        group = createProcessGroup({
          generation,
          members: coordinator.members,
          router,
          clock: network.clock,
          deadlineMs: 60_000,
        });
        return group;
      },
      dispose: () => transport.dispose(),
    };
    return runWorker({
      control: coordinator.portOf(rank),
      reconnect: () => Promise.reject(new Error("the coordinator of these runs stays")),
      peers,
      createEngine: async () => options.createEngine(workerId),
      createExchangeTools: () => ({ ops: plainVectorOps }),
      sha256: options.sha256,
      clock: network.clock,
      log: () => {},
    });
  });
  coordinator.begin();
  const results = await network.clock.runUntil(Promise.all(sessions));
  return { ...coordinator.record(), results, virtualMs: network.clock.nowMs(), firedFaults: network.fired() };
}

class SunnyCoordinator {
  readonly members: readonly string[];
  readonly #options: SimulatedRunOptions;
  readonly #network: SimNetwork;
  readonly #listeners: ((message: CoordinatorMessage) => void)[] = [];
  readonly #blobs = new Map<string, Uint8Array>();
  readonly #waiting = new Map<string, Map<number, unknown>>();
  readonly #losses: number[] = [];
  readonly #stateHashes: string[] = [];
  readonly #reports: MessageBody<"stepReport">[] = [];
  readonly #errors: MessageBody<"workerError">[] = [];
  #step: number;
  #grid = { numMicroBatches: 0, numEvalMicroBatches: 0 };
  #evalLoss: number | undefined;
  #done: MessageBody<"checkpointDone"> | undefined;

  constructor(options: SimulatedRunOptions, network: SimNetwork) {
    this.#options = options;
    this.#network = network;
    this.#step = options.firstStep ?? 0;
    this.members = Array.from({ length: options.numWorkers }, (_, rank) => `w${rank}`);
  }

  portOf(rank: number): ControlPort {
    return {
      send: (message) => this.#network.clock.schedule(3, () => this.#receive(rank, structuredClone(message))),
      onMessage: (listener) => {
        this.#listeners[rank] = listener;
      },
      closed: new Promise(() => {}),
      putBlob: async (bytes, sha256) => void this.#blobs.set(sha256, bytes.slice()),
      fetchBlob: async ({ sha256 }) => this.#blobs.get(sha256)!,
      close: async () => {},
    };
  }

  begin(): void {
    this.members.forEach((workerId, rank) => {
      const config = JSON.stringify({ bucketBytes: this.#options.bucketBytes });
      const welcome = { runId: "r", workerId, jobName: "simulated", configJson: config } as MessageBody<"welcome">;
      this.#tell(rank, { name: "welcome", body: welcome });
    });
  }

  record() {
    const names = this.#done?.files ?? [];
    return {
      trainLosses: this.#losses,
      evalLoss: this.#evalLoss,
      paramsSha256: this.#done?.paramsSha256,
      checkpoint: new Map(names.map(({ name, sha256 }) => [name, this.#blobs.get(sha256)!])),
      stateHashes: this.#stateHashes,
      reports: this.#reports,
      errors: this.#errors,
    };
  }

  #tell(rank: number, message: CoordinatorMessage): void {
    this.#network.clock.schedule(3, () => this.#listeners[rank]!(message));
  }

  #tellAll(message: CoordinatorMessage): void {
    for (const rank of this.members.keys()) this.#tell(rank, message);
  }

  #receive(rank: number, message: WorkerMessage): void {
    switch (message.name) {
      case "stepFailed": {
        const { code, message: text, step, tensor } = message.body;
        const body = { phase: "step", code, message: text, step, tensor, isStateIntact: true } as const;
        this.#receive(rank, { name: "workerError", body });
        return;
      }
      case "workerError":
        this.#errors.push(message.body);
        this.#tellAll({
          name: "stop",
          body: { status: "failed", code: message.body.code, reason: message.body.message },
        });
        return;
      case "ready":
        this.#collect(rank, message.body, "ready", (bodies) => this.#ready(bodies as MessageBody<"ready">[]));
        return;
      case "linkReport":
        this.#collect(
          rank,
          message.body,
          "links",
          () => this.#tellAll({ name: "routes", body: { generation: 1, relayPairs: [] } }),
          () => this.#assign(),
        );
        return;
      case "stepReport":
        this.#collect(rank, message.body, "report", (bodies) => this.#commit(bodies as MessageBody<"stepReport">[]));
        return;
      case "applied":
        this.#collect(
          rank,
          message.body,
          "applied",
          (bodies) => this.#stateHashes.push(sameOf((bodies as MessageBody<"applied">[]).map((b) => b.stateHash))),
          () => this.#evaluate(),
        );
        return;
      case "evaluated":
        this.#collect(rank, message.body, "evaluated", (bodies) =>
          this.#evaluated(bodies as MessageBody<"evaluated">[]),
        );
        return;
      case "checkpointDone":
        this.#done = message.body;
        this.#finishIfDone();
        return;
      default:
        return;
    }
  }

  /** Calls `then` once every rank has sent its body. */
  #collect(rank: number, body: unknown, what: string, then: (bodies: unknown[]) => void, after?: () => void): void {
    const bodies = this.#waiting.get(what) ?? new Map<number, unknown>();
    this.#waiting.set(what, bodies);
    bodies.set(rank, body);
    if (bodies.size < this.members.length) return;
    this.#waiting.delete(what);
    then(this.members.map((_, r) => bodies.get(r)));
    after?.();
  }

  #ready(bodies: MessageBody<"ready">[]): void {
    sameOf(bodies.map((b) => b.probe.hash + b.layout.hash));
    this.#stateHashes.push(sameOf(bodies.map((b) => b.state.stateHash)));
    this.#grid = bodies[0]!.grid;
    const members = this.members.map((workerId, rank) => ({
      rank,
      workerId,
      name: workerId,
      listenUrls: [],
      ticket: "0".repeat(32),
    }));
    this.#tellAll({
      name: "startGeneration",
      body: { generation: 1, members, numMicroBatches: this.#grid.numMicroBatches, reason: "all are ready" },
    });
  }

  #assignment(step: number): Assignment {
    const { numMicroBatches } = this.#grid;
    const nodes = (this.#options.assign ?? contiguousShares)(numMicroBatches, this.members.length);
    return { step, generation: 1, attempt: 0, nodesByRank: nodes.map((list) => list.map(({ lo, hi }) => [lo, hi])) };
  }

  #assign(): void {
    this.#tellAll({ name: "assign", body: { assignment: this.#assignment(this.#step + 1) } });
  }

  #commit(reports: MessageBody<"stepReport">[]): void {
    this.#reports.push(...reports);
    const { step } = reports[0]!;
    const gradientHash = sameOf(reports.map((r) => r.gradientHash));
    const previous = sameOf(reports.map((r) => r.previous.stateHash));
    if (this.#stateHashes.at(-1) !== previous) this.#stateHashes.push(previous);
    this.#losses.push(meanLoss(reports.flatMap((r) => r.losses)));
    this.#step = step;
    const isLast = step === (this.#options.firstStep ?? 0) + this.#options.steps;
    const body = {
      step,
      generation: 1,
      attempt: 0,
      gradientHash,
      next: isLast ? null : this.#assignment(step + 1),
      snapshotRank: isLast ? 0 : null,
      gradientRank: null,
      isLast,
    };
    this.#tellAll({ name: "commit", body });
  }

  #evaluate(): void {
    const numEval = this.#grid.numEvalMicroBatches;
    const shares = this.members.map((_, rank): [number, number] | null => {
      const range: [number, number] = [
        Math.floor((numEval * rank) / this.members.length),
        Math.floor((numEval * (rank + 1)) / this.members.length),
      ];
      return range[0] < range[1] ? range : null;
    });
    if (numEval === 0) {
      this.#finishIfDone();
      return;
    }
    for (const [rank, share] of shares.entries()) {
      const body = { step: this.#step, generation: 1, ranges: share === null ? [] : [share] };
      if (share !== null) this.#tell(rank, { name: "evaluate", body });
      else this.#collect(rank, { losses: [] }, "evaluated", (b) => this.#evaluated(b as MessageBody<"evaluated">[]));
    }
  }

  #evaluated(bodies: MessageBody<"evaluated">[]): void {
    this.#evalLoss = meanLoss(bodies.flatMap((b) => b.losses));
    this.#finishIfDone();
  }

  #finishIfDone(): void {
    const isEvaluated = this.#grid.numEvalMicroBatches === 0 || this.#evalLoss !== undefined;
    const hasAll = this.#stateHashes.length === this.#options.steps + 1;
    if (this.#done === undefined || !isEvaluated || !hasAll) return;
    this.#tellAll({ name: "stop", body: { status: "completed", code: "OK", reason: "all steps are done" } });
  }
}

/** The nodes of [0, M) shared out as evenly as whole micro-batches allow. */
export function contiguousShares(numMicroBatches: number, numWorkers: number): TreeRange[][] {
  return Array.from({ length: numWorkers }, (_, rank) =>
    nodesOf(
      Math.floor((numMicroBatches * rank) / numWorkers),
      Math.floor((numMicroBatches * (rank + 1)) / numWorkers),
      numMicroBatches,
    ),
  );
}

function meanLoss(sums: readonly (readonly [number, number, number] | MicroBatchSum)[]): number {
  const ordered = [...sums].sort((a, b) => a[0] - b[0]);
  return treeSum(ordered.map(([, sum]) => sum)) / treeSum(ordered.map(([, , weight]) => weight));
}

function sameOf(values: readonly string[]): string {
  const distinct = new Set(values);
  if (distinct.size !== 1) throw new Error(`replicas differ: ${[...distinct].join(" and ")}`);
  return values[0]!;
}

export type { ExchangeResult };
