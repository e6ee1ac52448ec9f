/**
 * @file A coordinator's process in virtual time: the real decisions, with a disk that outlives the process and lines to workers that do
 * not. It can be killed at any moment and started again.
 */
import type { SimNetwork } from "@lockstep/collectives/testing";
import {
  type CoordinatorEffect,
  type CoordinatorEvent,
  type CoordinatorState,
  decide,
  defaultLossScaling,
  defaultTimeouts,
  defaultTrust,
  type EventLine,
  initialCoordinatorState,
  type JournalEntry,
  type MetricsLine,
  nextDeadlineMs,
  type RunHistory,
  type RunPlan,
  type RunSummary,
} from "@lockstep/coordinator";
import type { ImportedState } from "@lockstep/worker";
import type { ControlLine, LineEnd } from "./control-line.js";
import { Gate } from "./gate.js";

interface SimCheckpoint {
  readonly paramsSha256: string;
  readonly stateHash: string;
  readonly files: readonly (ImportedState["files"][number] & { readonly sha256: string })[];
}

/** What a kill leaves. */
export class SimDisk {
  readonly journal: JournalEntry[] = [];
  events: EventLine[] = [];
  metrics: MetricsLine[] = [];
  readonly checkpoints = new Map<number, SimCheckpoint>();
  term = 0;
  summary: RunSummary | undefined;
}

export interface SimJob {
  readonly numMicroBatches: number;
  readonly stopStep: number;
  readonly minWorkers: number;
  /** Default 1. */
  readonly minWorkersToGoOn?: number;
  readonly maxWorkers: number;
  readonly evalIntervalSteps: number;
  readonly checkpointIntervalSteps: number;
  readonly auditRate: number;
}

const writeMs = 15;

export class SimCoordinator implements LineEnd {
  readonly gate: Gate;
  readonly blobs = new Map<string, Uint8Array>();
  readonly disk: SimDisk;
  readonly #lines = new Map<string, ControlLine>();
  readonly #onEnd: (summary: RunSummary) => void;
  readonly #onCommit: (step: number) => void;
  #state: CoordinatorState;
  #cancelTimer: () => void = () => {};
  #numTickets = 0;
  readonly #queue: CoordinatorEvent[] = [];
  #isDispatching = false;

  constructor(
    network: SimNetwork,
    { job, disk }: { readonly job: SimJob; readonly disk: SimDisk },
    on: { readonly end: (summary: RunSummary) => void; readonly commit: (step: number) => void },
  ) {
    this.gate = new Gate(network.clock);
    this.disk = disk;
    this.#onEnd = on.end;
    this.#onCommit = on.commit;
    const history = disk.term === 0 ? undefined : historyOf(disk);
    disk.term++;
    this.#state = initialCoordinatorState(planOf(job, disk, history), network.clock.nowMs());
    this.#arm();
  }

  get state(): CoordinatorState {
    return this.#state;
  }

  lineOf(workerId: string): ControlLine | undefined {
    return this.#lines.get(workerId);
  }

  /** The process is gone: its sockets break, its disk stays. */
  kill(): void {
    this.gate.kill();
    for (const line of this.#lines.values()) line.cut("the coordinator's process is gone");
  }

  onHello(line: ControlLine, hello: Parameters<LineEnd["onHello"]>[1]): void {
    const { workerId } = line;
    const before = this.#lines.get(workerId);
    if (before !== undefined && before !== line) {
      before.tell({ name: "refused", body: { code: "E_REPLACED", message: "a newer connection took its place" } });
      this.#lines.delete(workerId);
      before.cut("replaced");
      this.#dispatch({ kind: "left", workerId, reason: "a newer connection of the same worker took its place" });
    }
    this.#lines.set(workerId, line);
    const ticket = (this.#numTickets++).toString(16).padStart(32, "0");
    this.#dispatch({ kind: "joined", workerId, hello, ticket });
  }

  onMessage(line: ControlLine, message: Parameters<LineEnd["onMessage"]>[1]): void {
    if (this.#lines.get(line.workerId) === line) this.#dispatch({ kind: "message", workerId: line.workerId, message });
  }

  onHeard(line: ControlLine): void {
    if (this.#lines.get(line.workerId) === line) this.#dispatch({ kind: "heard", workerId: line.workerId });
  }

  onClosed(line: ControlLine, reason: string): void {
    if (this.#lines.get(line.workerId) !== line) return;
    this.#lines.delete(line.workerId);
    this.#dispatch({ kind: "left", workerId: line.workerId, reason });
  }

  #dispatch(event: CoordinatorEvent): void {
    this.#queue.push(event);
    if (this.#isDispatching) return;
    this.#isDispatching = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const { state, effects } = decide(this.#state, next, this.gate.nowMs());
      this.#state = state;
      for (const effect of effects) this.#execute(effect);
    }
    this.#isDispatching = false;
    this.#arm();
  }

  #execute(effect: CoordinatorEffect): void {
    switch (effect.kind) {
      case "send":
        this.#lines.get(effect.to)?.tell(effect.message);
        return;
      case "close": {
        const line = this.#lines.get(effect.workerId);
        this.gate.schedule(30, () => line?.cut(`closed: ${effect.reason}`));
        return;
      }
      case "event":
        this.disk.events.push(effect.line);
        if (effect.line.type === "commit") this.#onCommit(effect.line.step);
        return;
      case "metrics":
        this.disk.metrics.push(effect.line);
        return;
      case "journal":
        this.disk.journal.push(structuredClone(effect.entry));
        return;
      case "beginAt":
        this.disk.events = this.disk.events.filter(({ step }) => step <= effect.step);
        this.disk.metrics = this.disk.metrics.filter(({ step }) => step <= effect.step);
        for (const step of this.disk.checkpoints.keys()) if (step > effect.step) this.disk.checkpoints.delete(step);
        return;
      case "writeCheckpoint": {
        const { step, paramsSha256, stateHash } = effect.checkpoint;
        const files = effect.checkpoint.files.map(({ name, sha256 }) => ({
          name,
          sha256,
          bytes: this.blobs.get(sha256)!,
        }));
        this.gate.schedule(writeMs, () => {
          const missing = files.find(({ bytes }) => bytes === undefined);
          if (missing !== undefined)
            throw new Error(`checkpoint ${step}: ${missing.name} was released before it was written`);
          this.disk.checkpoints.set(step, { paramsSha256, stateHash, files });
          this.#dispatch({ kind: "checkpointWritten", step });
        });
        return;
      }
      case "offerCheckpoint": {
        const stored = this.disk.checkpoints.get(effect.step)?.files ?? [];
        for (const { name, sha256 } of effect.files) {
          const file = stored.find((each) => each.name === name);
          if (file === undefined) throw new Error(`checkpoint ${effect.step} was offered, and ${name} is not on disk`);
          this.blobs.set(sha256, file.bytes);
        }
        return;
      }
      case "judge": // Nobody judges these runs.
        return;
      case "removeCheckpoints":
        for (const step of effect.steps) this.disk.checkpoints.delete(step);
        return;
      case "releaseBlobs":
        for (const sha256 of effect.sha256s) this.blobs.delete(sha256);
        return;
      case "finish":
        this.disk.summary = effect.summary;
        this.#cancelTimer();
        this.#onEnd(effect.summary);
        return;
      case "enterGeneration":
        return;
      default:
        effect satisfies never;
    }
  }

  #arm(): void {
    this.#cancelTimer();
    const atMs = nextDeadlineMs(this.#state);
    if (!Number.isFinite(atMs)) return;
    this.#cancelTimer = this.gate.schedule(Math.ceil(Math.max(0, atMs - this.gate.nowMs())), () =>
      this.#dispatch({ kind: "tick" }),
    );
  }
}

function planOf(job: SimJob, disk: SimDisk, history: RunHistory | undefined): RunPlan {
  const startStep = Math.max(0, ...disk.checkpoints.keys());
  const stored = disk.checkpoints.get(startStep);
  const files = (stored?.files ?? []).map(({ name, sha256, bytes }) => ({
    name,
    sha256,
    byteLength: bytes.byteLength,
  }));
  return {
    lockstepVersion: "sim",
    numericsVersion: 1,
    numMicroBatches: job.numMicroBatches,
    samplesPerStep: job.numMicroBatches,
    startStep,
    ...(stored === undefined ? {} : { startParamsSha256: stored.paramsSha256, startStateHash: stored.stateHash }),
    stopStep: job.stopStep,
    evalIntervalSteps: job.evalIntervalSteps,
    isJudged: false,
    admitsDevices: true,
    checkpoints: { intervalSteps: job.checkpointIntervalSteps, intervalMs: 0, keepsBest: true, keepLast: 2 },
    lossScaling: defaultLossScaling,
    trust: { ...defaultTrust, auditRate: job.auditRate },
    minWorkers: job.minWorkers,
    minWorkersToGoOn: job.minWorkersToGoOn ?? 1,
    maxWorkers: job.maxWorkers,
    joinFailure: "refuse",
    timeouts: defaultTimeouts,
    history,
    welcome: {
      runId: "run",
      term: disk.term,
      jobName: "simulated",
      jobBundle: { sha256: "0".repeat(64), byteLength: 1 },
      configJson: JSON.stringify({ bucketBytes: 32 }),
      files: [],
      seed: 7,
      numeric: "strict",
      threads: null,
      initFrom: null,
      resume: stored === undefined ? null : { step: startStep, files },
      stopStep: job.stopStep,
      heartbeatIntervalMs: 200,
      heartbeatTimeoutMs: 10_000,
      reconnectTimeoutMs: 60_000,
      maxChunkBytes: 1_048_576,
    },
  };
}

function historyOf(disk: SimDisk): RunHistory {
  let generation = 0;
  let committedStep = 0;
  let metrics: MetricsLine | undefined;
  let members: readonly string[] = [];
  const evaluations = new Map<number, number>();
  const strikes = new Map<string, number>();
  const banned = new Map<string, { name: string; reason: string }>();
  for (const entry of disk.journal) {
    if (entry.kind === "membership") {
      generation = entry.generation;
      members = entry.members.map(({ workerId }) => workerId);
    } else if (entry.kind === "commit") {
      committedStep = entry.step;
      metrics = entry.metrics ?? undefined;
    } else if (entry.kind === "rewind") {
      committedStep = entry.step;
      metrics = undefined;
    } else if (entry.kind === "evaluated") evaluations.set(entry.step, entry.evalLoss);
    else if (entry.kind === "strike") strikes.set(entry.workerId, (strikes.get(entry.workerId) ?? 0) + 1);
    else if (entry.kind === "ban") banned.set(entry.workerId, { name: entry.name, reason: entry.reason });
  }
  const lastLine = disk.metrics.at(-1)?.step ?? 0;
  return {
    generation,
    committedStep,
    metrics: metrics !== undefined && lastLine < metrics.step ? metrics : undefined,
    members,
    storedSteps: [...disk.checkpoints.keys()],
    evaluations,
    best: undefined,
    strikes,
    banned,
  };
}
