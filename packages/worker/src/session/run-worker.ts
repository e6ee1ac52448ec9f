/**
 * @file One worker's part in a run: executes the effects of decide-worker.ts and turns what happens into its events. It knows no
 * socket, no disk and no tensor; everything comes through SessionPorts.
 */

import type { ProcessGroup } from "@lockstep/collectives";
import { bucketsOf } from "@lockstep/core";
import type { Assignment, MessageBody, WorkerMessage, WorkerPhase } from "@lockstep/protocol";
import type { ComputeEngine, EngineInfo, EvaluatedMicroBatch, PreparedEngine } from "../engine/compute-engine.js";
import { formatMemoryPlan } from "../engine/memory-plan.js";
import { type ErrorReport, errorReport } from "../errors.js";
import { bucketBytesOf } from "../job/base-config.js";
import { backoffMs } from "./backoff.js";
import { decideWorker } from "./decide-worker.js";
import { evaluatedMessages } from "./evaluated-messages.js";
import { type ControlPort, defaultSessionTimeouts, type SessionPorts, type SessionTimeouts } from "./session-ports.js";
import { type CaughtState, StateTransfer } from "./state-transfer.js";
import { StepDeadline } from "./step-deadline.js";
import { type RunningStep, StepRunner } from "./step-runner.js";
import {
  type Held,
  initialWorkerState,
  type SessionStatus,
  type StepOutcome,
  type WorkerEffect,
  type WorkerEvent,
  type WorkerState,
} from "./worker-state.js";

export interface SessionResult {
  readonly status: SessionStatus;
  readonly code: string;
  readonly reason: string;
  /** Last step applied here. */
  readonly step: number;
}

interface Prepared {
  readonly engine: ComputeEngine;
  readonly details: PreparedEngine;
  readonly runner: StepRunner;
}

/** Takes part in a run until it ends. Resolves also when the run failed; the engine and all links are closed then. */
export function runWorker(ports: SessionPorts): Promise<SessionResult> {
  return new WorkerSession(ports).finished;
}

class WorkerSession {
  readonly finished: Promise<SessionResult>;
  readonly #ports: SessionPorts;
  readonly #timeouts: SessionTimeouts;
  readonly #deadline: StepDeadline;
  readonly #transfer: StateTransfer;
  #control: ControlPort;
  /** As the welcome said. */
  #reconnectMs = 60_000;
  #workerId = "";
  readonly #resolve: (result: SessionResult) => void;
  #state: WorkerState = initialWorkerState;
  /** From its creation on, whether or not it could be prepared. */
  #engine: ComputeEngine | undefined;
  #prepared: Prepared | undefined;
  #group: ProcessGroup | undefined;
  #running: RunningStep | undefined;
  #lastReason: string | undefined;
  readonly #timers: (() => void)[] = [];

  constructor(ports: SessionPorts) {
    this.#ports = ports;
    this.#timeouts = { ...defaultSessionTimeouts, ...ports.timeouts };
    this.#deadline = new StepDeadline(this.#timeouts);
    let resolveFinished: (result: SessionResult) => void = () => {};
    this.finished = new Promise((resolve) => {
      resolveFinished = resolve;
    });
    this.#resolve = resolveFinished;
    this.#control = ports.control;
    this.#transfer = new StateTransfer({
      control: () => this.#control,
      engine: () => {
        const { engine, details } = this.#need();
        return { engine, info: details.info };
      },
      sha256: ports.sha256,
      log: ports.log,
    });
    this.#listen(ports.control);
    const interrupt = () => this.#dispatch({ kind: "interrupted", reason: "this worker was told to leave" });
    if (ports.signal?.aborted === true) interrupt();
    else ports.signal?.addEventListener("abort", interrupt, { once: true });
  }

  /** A channel that was replaced is heard no more. */
  #listen(control: ControlPort): void {
    control.onMessage((message) => {
      if (this.#control === control) this.#dispatch({ kind: "message", message });
    });
    control.closed.then(({ reason }) => {
      if (this.#control === control) this.#dispatch({ kind: "disconnected", reason });
    });
  }

  #dispatch(event: WorkerEvent): void {
    const { state, effects, reason } = decideWorker(this.#state, event);
    const hasFailed = state.phase === "failed" && this.#state.phase !== "failed";
    this.#state = state;
    if (reason !== undefined && reason !== this.#lastReason) {
      this.#lastReason = reason;
      this.#ports.log(hasFailed ? "error" : "info", reason, { phase: state.phase, step: state.step });
    }
    for (const effect of effects) this.#execute(effect);
    if (hasFailed) this.#expectFarewell();
  }

  #execute(effect: WorkerEffect): void {
    switch (effect.kind) {
      case "send":
        this.#control.send(effect.message);
        return;
      case "prepare":
        this.#watch("load", this.#prepare(effect.welcome));
        return;
      case "link":
        this.#watch("link", this.#link(effect.start, effect.rank));
        return;
      case "route":
        this.#watch("link", this.#route(effect.routes));
        return;
      case "startStep":
        this.#watch("step", this.#startStep(effect));
        return;
      case "abortStep":
        this.#running?.abort(effect.reason);
        this.#running = undefined;
        return;
      case "apply":
        this.#watch("step", this.#apply(effect.step));
        return;
      case "uploadGradient":
        void this.#transfer.uploadGradient(effect.step).then((message) => this.#tell(message));
        return;
      case "evaluate":
        this.#watch("evaluate", this.#evaluate(effect));
        return;
      case "snapshot":
        void this.#transfer.snapshot(effect).then((message) => this.#tell(message));
        return;
      case "restore":
        this.#catchUp(this.#transfer.restore(effect.restore));
        return;
      case "applyGradient":
        this.#catchUp(this.#transfer.applyGradient(effect.order));
        return;
      case "applyKept":
        this.#catchUp(this.#transfer.applyHeld(effect.step));
        return;
      case "reconnect":
        void this.#reconnect(effect.held);
        return;
      case "startGrace":
        this.#later(this.#timeouts.peerGraceMs, { kind: "graceOver" });
        return;
      case "finish":
        void this.#finish(effect);
        return;
      default:
        effect satisfies never;
    }
  }

  /** Work whose failure ends this worker's part. */
  #watch(phase: WorkerPhase, work: Promise<void>): void {
    work.catch((error: unknown) => {
      const report = errorReport(error);
      this.#ports.log("debug", report.stack ?? report.message);
      this.#dispatch({ kind: "failed", phase, error: report });
    });
  }

  async #prepare(welcome: MessageBody<"welcome">): Promise<void> {
    const { clock, log } = this.#ports;
    this.#reconnectMs = welcome.reconnectTimeoutMs;
    this.#workerId = welcome.workerId;
    const startedMs = clock.nowMs();
    const engine = await this.#ports.createEngine(welcome);
    this.#engine = engine;
    if (this.#state.phase === "stopped") return engine.dispose();
    const details = await engine.prepare();
    const { info, probe, plan } = details;
    const config = JSON.parse(welcome.configJson) as { bucketBytes: number };
    const buckets = bucketsOf(info.gradientFloats, bucketBytesOf(config, info.gradientFloats)).map(
      ({ begin, end }) => ({
        offset: begin,
        length: end - begin,
      }),
    );
    const tools = this.#ports.createExchangeTools(engine);
    const runner = new StepRunner({ engine, info, tools, buckets, nowMs: () => clock.nowMs() });
    this.#prepared = { engine, details, runner };
    log("debug", `memory plan\n${formatMemoryPlan(plan)}`);
    const { numMicroBatches, numEvalMicroBatches, samplesPerStep, gradientFloats } = info;
    this.#dispatch({
      kind: "prepared",
      ready: {
        numericClass: info.numericClass,
        layout: { hash: info.layoutHash, gradientFloats, numTensors: info.parameters.length },
        probe: { hash: probe.hash, tensors: [...probe.tensors] },
        state: { step: info.step, stateHash: info.stateHash },
        grid: { numMicroBatches, numEvalMicroBatches, samplesPerStep },
        prepareMs: clock.nowMs() - startedMs,
      },
    });
  }

  async #link(start: MessageBody<"startGeneration">, rank: number): Promise<void> {
    this.#group?.close(start.reason);
    this.#group = undefined;
    const links = await this.#ports.peers.link(start, rank);
    this.#dispatch({ kind: "linked", generation: start.generation, links });
  }

  async #route(routes: MessageBody<"routes">): Promise<void> {
    this.#group = await this.#ports.peers.route(routes);
    this.#dispatch({ kind: "routed", generation: routes.generation });
  }

  async #startStep({ assignment }: Extract<WorkerEffect, { kind: "startStep" }>): Promise<void> {
    const group = this.#group;
    const { runner, details } = this.#need();
    if (group === undefined) throw new Error("worker: a step began outside of a generation");
    const startedMs = this.#ports.clock.nowMs();
    const running = runner.start(group, assignment, {
      deadlineMs: this.#deadline.nextMs(),
      onProgress: (progress) => this.#dispatch({ kind: "progress", place: assignment, ...progress }),
      onNotice: ({ message, ...fields }) => this.#ports.log("warn", message, { step: assignment.step, ...fields }),
    });
    this.#running = running;
    running.outcome.then(
      (outcome) => {
        if (this.#running !== running) return;
        this.#deadline.record(this.#ports.clock.nowMs() - startedMs);
        this.#logOverflows(assignment, outcome);
        this.#dispatch({ kind: "reduced", outcome });
      },
      (error: unknown) => {
        if (this.#running !== running) return;
        this.#running = undefined;
        const report = withParameterName(errorReport(error), details.info.parameters);
        this.#dispatch({ kind: "stepFailed", place: assignment, error: report });
      },
    );
  }

  #logOverflows({ step, lossScale = 1 }: Assignment, { overflows = [] }: StepOutcome): void {
    for (const [microBatch, scale] of overflows) {
      for (let before = lossScale; before > scale; before /= 2) {
        const message = `step ${step}, micro-batch ${microBatch}: a gradient overflowed at the loss scale ${before}; computed again at ${before / 2}`;
        this.#ports.log("warn", message, { step, microBatch, lossScale: before, nextLossScale: before / 2 });
      }
    }
  }

  async #apply(step: number): Promise<void> {
    this.#running = undefined;
    const { stateHash, gradNorm, learningRate } = await this.#need().engine.applyStep(step);
    this.#dispatch({ kind: "applied", step, measures: { stateHash, gradNorm, learningRate } });
  }

  async #evaluate({ step, generation, ranges }: Extract<WorkerEffect, { kind: "evaluate" }>): Promise<void> {
    const startedMs = this.#ports.clock.nowMs();
    const results: EvaluatedMicroBatch[] = [];
    for (const [lo, hi] of ranges) results.push(...(await this.#need().engine.evaluate({ lo, hi })));
    const evalMs = this.#ports.clock.nowMs() - startedMs;
    this.#dispatch({ kind: "evaluated", bodies: evaluatedMessages({ step, generation, evalMs }, results) });
  }

  #tell(message: WorkerMessage | undefined): void {
    if (message !== undefined) this.#dispatch({ kind: "stored", message });
  }

  #catchUp(work: Promise<CaughtState>): void {
    work.then(
      (caught) => this.#dispatch({ kind: "caught", ...caught }),
      (error: unknown) => this.#dispatch({ kind: "notCaught", error: errorReport(error) }),
    );
  }

  /** Tries until the coordinator answers, or the time is over: first at once, then with growing pauses that differ by worker. */
  async #reconnect(held: Held): Promise<void> {
    const { clock, reconnect, log } = this.#ports;
    const limitMs = this.#timeouts.reconnectMs ?? this.#reconnectMs;
    const untilMs = clock.nowMs() + limitMs;
    let problem = "nobody answered";
    this.#group?.close("the coordinator is gone");
    this.#group = undefined;
    for (let attempt = 0; this.#state.phase === "away"; attempt++) {
      const pauseMs = backoffMs(this.#workerId, attempt);
      await new Promise<void>((resolve) => void clock.schedule(pauseMs, resolve));
      if (this.#state.phase !== "away") return;
      try {
        const control = await reconnect(held);
        if (this.#state.phase !== "away") return void control.close();
        this.#control = control;
        this.#dispatch({ kind: "reconnected" });
        this.#listen(control);
        return;
      } catch (error) {
        problem = errorReport(error).message;
        log("debug", `reconnect, attempt ${attempt + 1}: ${problem}`);
      }
      if (clock.nowMs() < untilMs) continue;
      const reason = `the coordinator was not reached again within ${limitMs} ms (--reconnect-timeout): ${problem}`;
      this.#dispatch({ kind: "gaveUp", reason });
      return;
    }
  }

  #need(): Prepared {
    if (this.#prepared === undefined) throw new Error("worker: the engine is not prepared");
    return this.#prepared;
  }

  #expectFarewell(): void {
    const reason = "the coordinator did not answer this worker's error";
    this.#later(this.#timeouts.farewellMs, { kind: "disconnected", reason });
  }

  /** An event after a while, unless the session has ended. */
  #later(delayMs: number, event: WorkerEvent): void {
    this.#timers.push(this.#ports.clock.schedule(delayMs, () => this.#dispatch(event)));
  }

  async #finish({ status, code, reason }: Extract<WorkerEffect, { kind: "finish" }>): Promise<void> {
    const { peers, log } = this.#ports;
    const control = this.#control;
    for (const cancel of this.#timers) cancel();
    this.#running?.abort(reason);
    this.#group?.close(reason);
    const closing = await Promise.allSettled([control.close(), peers.dispose(), this.#engine?.dispose()]);
    for (const result of closing) if (result.status === "rejected") log("debug", `closing: ${String(result.reason)}`);
    this.#resolve({ status, code, reason, step: this.#state.step });
  }
}

/** An error that knows only an element of the flat gradient gets the name of the parameter it lies in. */
function withParameterName(report: ErrorReport, parameters: EngineInfo["parameters"]): ErrorReport {
  const index = report.fields.firstIndex;
  if (typeof index !== "number") return report;
  const found = parameters.find(({ offset, length }) => index >= offset && index < offset + length);
  if (found === undefined) return report;
  const element = index - found.offset;
  return {
    ...report,
    message: `${report.message} That is element ${element} of the gradient of "${found.name}".`,
    fields: { ...report.fields, parameter: found.name, element },
  };
}
