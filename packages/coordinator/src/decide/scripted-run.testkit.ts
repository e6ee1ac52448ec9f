/** @file A run by hand for tests of `decide`: says what workers say, keeps what the coordinator wants, on a clock that tests move. */
import { type CoordinatorMessage, type MessageBody, PROTOCOL_VERSION, type WorkerMessage } from "@lockstep/protocol";
import type { CoordinatorEffect, CoordinatorEvent } from "../state/coordinator-events.js";
import { type CoordinatorState, initialCoordinatorState } from "../state/coordinator-state.js";
import type { JournalEntry } from "../state/journal-entry.js";
import { defaultLossScaling, defaultTimeouts, defaultTrust, type RunPlan } from "../state/run-plan.js";
import type { EventLine, MetricsLine, RunSummary } from "../state/run-summary.js";
import { decide, nextDeadlineMs } from "./decide.js";

export const hashA = "a".repeat(32);
export const hashB = "b".repeat(32);
const sha = "c".repeat(64);

export function planWith(change: Partial<RunPlan> = {}): RunPlan {
  return {
    lockstepVersion: "0.1.0",
    numericsVersion: 1,
    numMicroBatches: 4,
    samplesPerStep: 32,
    startStep: 0,
    stopStep: 3,
    evalIntervalSteps: 0,
    isJudged: false,
    admitsDevices: true,
    checkpoints: { intervalSteps: 0, intervalMs: 0, keepsBest: false, keepLast: 0 },
    trust: defaultTrust,
    lossScaling: defaultLossScaling,
    minWorkers: 2,
    minWorkersToGoOn: 1,
    maxWorkers: 2,
    joinFailure: "fail",
    timeouts: defaultTimeouts,
    history: undefined,
    welcome: {
      runId: "run",
      term: 1,
      jobName: "job",
      jobBundle: { sha256: sha, byteLength: 1 },
      configJson: "{}",
      files: [],
      seed: 7,
      numeric: "strict",
      threads: null,
      initFrom: null,
      resume: null,
      stopStep: 3,
      heartbeatIntervalMs: 1_000,
      heartbeatTimeoutMs: 20_000,
      reconnectTimeoutMs: 60_000,
      maxChunkBytes: 1_048_576,
    },
    ...change,
  };
}

export class ScriptedRun {
  state: CoordinatorState;
  nowMs = 0;
  readonly sent: { readonly to: string; readonly message: CoordinatorMessage }[] = [];
  /** Without those that a run that went back has superseded. */
  events: EventLine[] = [];
  metrics: MetricsLine[] = [];
  readonly writes: number[] = [];
  readonly closed: string[] = [];
  readonly journal: JournalEntry[] = [];
  readonly released: string[] = [];
  readonly removed: number[] = [];
  readonly offered: number[] = [];
  readonly beginsAt: number[] = [];
  readonly judged: { readonly step: number; readonly evalLoss: number | null }[] = [];
  summary: RunSummary | undefined;
  #tickets = 0;

  constructor(plan: Partial<RunPlan> = {}) {
    this.state = initialCoordinatorState(planWith(plan), 0);
  }

  event(event: CoordinatorEvent): void {
    const { state, effects } = decide(this.state, event, this.nowMs);
    this.state = state;
    for (const effect of effects) this.#keep(effect);
  }

  say(workerId: string, message: WorkerMessage): void {
    this.event({ kind: "message", workerId, message });
  }

  /** Time passes; everyone who is here is heard all the while, but for `silent` ones, and nothing here is held up. */
  tick(toMs: number, silent: readonly string[] = []): void {
    const beatMs = 200;
    while (this.nowMs + beatMs < toMs && this.state.phase !== "stopped") {
      const nextMs = Math.min(nextDeadlineMs(this.state), toMs);
      // Where nothing is due for long, nobody needs to be heard every moment.
      const isFar = nextMs - this.nowMs > 100 * beatMs && silent.length === 0;
      this.nowMs = isFar ? nextMs - 2 * beatMs : this.nowMs + beatMs;
      for (const workerId of this.state.workers.keys())
        if (!silent.includes(workerId)) this.event({ kind: "heard", workerId });
      if (nextDeadlineMs(this.state) <= this.nowMs) this.event({ kind: "tick" });
    }
    this.nowMs = toMs;
    this.event({ kind: "tick" });
  }

  join(workerId: string, change: Partial<MessageBody<"hello">> = {}): void {
    const hello: MessageBody<"hello"> = {
      protocolVersion: PROTOCOL_VERSION,
      numericsVersion: 1,
      lockstepVersion: "0.1.0",
      workerId,
      name: workerId,
      numericClasses: ["strict", "fused"],
      threads: 1,
      listenUrls: ["ws://127.0.0.1:1"],
      canDial: true,
      platform: "test",
      held: null,
      ...change,
    };
    const ticket = String(this.#tickets++).padStart(32, "0");
    this.event({ kind: "joined", workerId, hello, ticket });
  }

  ready(workerId: string, change: Partial<MessageBody<"ready">> = {}): void {
    const body: MessageBody<"ready"> = {
      numericClass: "strict",
      layout: { hash: hashA, gradientFloats: 10, numTensors: 2 },
      probe: {
        hash: hashA,
        tensors: [
          { name: "w", hash: hashA },
          { name: "b", hash: hashA },
        ],
      },
      state: { step: this.state.plan.startStep, stateHash: hashA },
      grid: { numMicroBatches: this.state.plan.numMicroBatches, numEvalMicroBatches: 3, samplesPerStep: 32 },
      prepareMs: 5,
      ...change,
    };
    this.say(workerId, { name: "ready", body });
  }

  /** Brings the workers to their first assignment. */
  start(...workerIds: string[]): void {
    for (const id of workerIds) this.join(id);
    for (const id of workerIds) this.ready(id);
    for (const id of this.state.members) this.links(id);
  }

  /** Every member of a generation that has just begun reports its links, and the step begins. */
  linkAll(): void {
    for (const id of this.state.members) this.links(id);
  }

  /** Micro-batches of the assignment, ascending: each must be there once. */
  covered(): number[] {
    const nodes = this.state.step!.assignment.nodesByRank.flat();
    return nodes.flatMap(([lo, hi]) => Array.from({ length: hi - lo }, (_, i) => lo + i)).sort((a, b) => a - b);
  }

  links(workerId: string, change: { readonly blocked?: readonly number[] } = {}): void {
    const own = this.state.members.indexOf(workerId);
    const links = this.state.members.flatMap((_, rank) => {
      if (rank === own) return [];
      const isDirect = !(change.blocked ?? []).includes(rank);
      return [{ rank, isDirect, reason: isDirect ? null : "connection refused" }];
    });
    this.say(workerId, { name: "linkReport", body: { generation: this.state.generation, links } });
  }

  report(workerId: string, change: Partial<MessageBody<"stepReport">> = {}): void {
    const { assignment } = this.state.step!;
    const nodes = assignment.nodesByRank[this.state.members.indexOf(workerId)]!;
    const losses = nodes.flatMap(([lo, hi]) =>
      Array.from({ length: hi - lo }, (_, i): [number, number, number] => [lo + i, (lo + i + 1) * 2, 2]),
    );
    const body: MessageBody<"stepReport"> = {
      step: assignment.step,
      generation: assignment.generation,
      attempt: assignment.attempt,
      gradientHash: hashA,
      previous: { stateHash: hashA, gradNorm: assignment.step === 1 ? null : 0.5, learningRate: 0.01 },
      losses,
      numTokens: null,
      computeMs: 10,
      commMs: 1,
      bytesSent: 40,
      nodeSquares: nodes.map(([lo, hi]) => [lo, hi, 1]),
      ...change,
    };
    this.say(workerId, { name: "stepReport", body });
  }

  /** All report the attempt that is out, as long as it is. */
  step(): void {
    this.nowMs += 100;
    const { assignment } = this.state.step!;
    for (const id of this.state.members) if (this.state.step?.assignment === assignment) this.report(id);
  }

  applied(workerId: string, stateHash = hashA): void {
    const { committedStep: step, generation } = this.state;
    this.say(workerId, { name: "applied", body: { step, generation, stateHash, gradNorm: 0.25, learningRate: 0.02 } });
  }

  evaluated(workerId: string): void {
    const ranges = this.state.follow?.evaluating?.get(workerId) ?? [];
    const losses = ranges.flatMap(([lo, hi]) =>
      Array.from({ length: hi - lo }, (_, i): [number, number, number] => [lo + i, 6, 3]),
    );
    if (losses.length === 0) return;
    const { committedStep: step, generation } = this.state;
    this.say(workerId, { name: "evaluated", body: { step, generation, losses, evalMs: 3 } });
  }

  checkpointDone(workerId: string, stateHash = hashA): void {
    const { generation } = this.state;
    const step = this.state.snapshot?.step ?? this.state.committedStep;
    const files = [{ name: "model.safetensors", sha256: sha, byteLength: 40 }];
    this.say(workerId, { name: "checkpointDone", body: { step, generation, stateHash, files, paramsSha256: sha } });
  }

  written(): void {
    this.event({ kind: "checkpointWritten", step: this.writes.at(-1)! });
  }

  leave(workerId: string, reason = "its connection closed (1006)"): void {
    this.event({ kind: "left", workerId, reason });
  }

  /** What follows the last commit, by everyone. */
  follow(): void {
    for (const id of this.state.members) this.applied(id);
    for (const id of this.state.members) this.evaluated(id);
    if (this.state.snapshot !== undefined) this.checkpointDone(this.state.snapshot.writerId);
    if (this.state.writing !== undefined) this.written();
  }

  /** The last message of a kind that this worker was sent. */
  last<Name extends CoordinatorMessage["name"]>(to: string, name: Name): MessageBody<Name> | undefined {
    const found = this.sent.findLast((entry) => entry.to === to && entry.message.name === name);
    return found?.message.body as MessageBody<Name> | undefined;
  }

  types(): string[] {
    return this.events.map(({ type }) => type);
  }

  #keep(effect: CoordinatorEffect): void {
    switch (effect.kind) {
      case "send":
        this.sent.push(effect);
        return;
      case "event":
        this.events.push(effect.line);
        return;
      case "metrics":
        this.metrics.push(effect.line);
        return;
      case "judge":
        this.judged.push({ step: effect.step, evalLoss: effect.evalLoss });
        return;
      case "writeCheckpoint":
        this.writes.push(effect.checkpoint.step);
        return;
      case "close":
        this.closed.push(effect.workerId);
        return;
      case "finish":
        this.summary = effect.summary;
        return;
      case "journal":
        this.journal.push(effect.entry);
        return;
      case "releaseBlobs":
        this.released.push(...effect.sha256s);
        return;
      case "removeCheckpoints":
        this.removed.push(...effect.steps);
        return;
      case "beginAt":
        this.beginsAt.push(effect.step);
        this.events = this.events.filter(({ step }) => step <= effect.step);
        this.metrics = this.metrics.filter(({ step }) => step <= effect.step);
        return;
      case "offerCheckpoint":
        this.offered.push(effect.step);
        return;
      case "enterGeneration":
        return;
      default:
        effect satisfies never;
    }
  }
}
