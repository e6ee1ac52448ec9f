/**
 * @file Executes what `decide` decides: sockets, files, timers. One event at a time; nothing is decided here.
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { NamedBlob } from "@lockstep/protocol";
import { decide, nextDeadlineMs } from "../decide/decide.js";
import type { CoordinatorEffect, CoordinatorEvent } from "../state/coordinator-events.js";
import { type CoordinatorState, initialCoordinatorState, type StoredCheckpoint } from "../state/coordinator-state.js";
import type { JournalEntry } from "../state/journal-entry.js";
import type { Judge, RunPlan } from "../state/run-plan.js";
import type { EventLine, MetricsLine, RunSummary } from "../state/run-summary.js";
import { statusOf } from "../state/status-of.js";
import { BlobStore } from "./blob-store.js";
import { checkpointName, writeCheckpoint } from "./checkpoint-folder.js";
import { removeCheckpoints } from "./checkpoint-retention.js";
import type { Journal } from "./journal.js";
import { RelaySwitch } from "./relay-switch.js";
import type { RunDirectory } from "./run-directory.js";
import type { Clock, ServerSocketConstructors } from "./server-sockets.js";
import { SocketServer } from "./socket-server.js";
import { TransferRate } from "./transfer-rate.js";
import { WorkerSocket } from "./worker-socket.js";

/** After the last word: workers say goodbye and close. */
const farewellMs = 1_500;
/** A worker whose line broke in the middle of an upload goes on where it was, if it is back by then. */
const keepPartsMs = 30_000;
const maxTimerMs = 2_000_000_000;

export type LogLevel = "debug" | "info" | "warn" | "error";

export interface ShellOptions {
  readonly plan: RunPlan;
  readonly directory: RunDirectory;
  readonly journal: Pick<Journal, "append" | "dispose">;
  readonly host: string;
  readonly port: number;
  readonly token: string | undefined;
  readonly sockets: ServerSocketConstructors;
  readonly clock: Clock;
  /** For the `time` of events. */
  readonly wallClock: () => Date;
  readonly helloTimeoutMs: number;
  /** Bytes of blobs a second while the run goes on; undefined: as fast as it goes. */
  readonly stateTransferRate: number | undefined;
  readonly onMetrics: (line: MetricsLine) => void;
  readonly onEvent: (line: EventLine) => void;
  readonly judge: Judge;
  readonly log: (level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>) => void;
}

export class CoordinatorShell {
  readonly blobs: BlobStore;
  readonly finished: Promise<RunSummary>;
  readonly #options: ShellOptions;
  readonly #server: SocketServer;
  readonly #relay: RelaySwitch;
  readonly #rate: TransferRate;
  readonly #peers = new Map<string, WorkerSocket>();
  readonly #queue: CoordinatorEvent[] = [];
  #state: CoordinatorState;
  #isDispatching = false;
  #isBroken = false;
  #journalProblem: string | undefined;
  readonly #lineProblems = new Map<string, string | undefined>();
  #cancelTimer: () => void = () => {};
  #resolveFinished: (summary: RunSummary) => void = () => {};
  #onPeersGone: () => void = () => {};
  #closed: Promise<void> | undefined;

  constructor(options: ShellOptions) {
    this.#options = options;
    this.#state = initialCoordinatorState(options.plan, options.clock.nowMs());
    this.finished = new Promise((resolve) => {
      this.#resolveFinished = resolve;
    });
    this.#rate = new TransferRate(options.stateTransferRate, options.clock);
    this.#rate.limit(isTraining(this.#state));
    this.blobs = new BlobStore({
      incomingDir: join(options.directory.checkpointsDir, ".incoming"),
      keepParts: { forMs: keepPartsMs, clock: options.clock },
    });
    this.#relay = new RelaySwitch({
      onViolation: (workerId, what) => options.log("warn", `relay: worker ${workerId} ${what}`),
    });
    this.#server = new SocketServer({
      host: options.host,
      port: options.port,
      token: options.token,
      sockets: options.sockets,
      onControl: (socket, address) => this.#accept(socket, address),
      acceptRelay: (isSame) => {
        const member = this.#relay.findMember(isSame);
        return member && ((socket) => this.#relay.attach(member, socket));
      },
      status: () => statusOf(this.#state, this.#options.clock.nowMs()),
      onRefused: (address, why) => options.log("warn", `${address} was refused: ${why}`),
    });
  }

  async listen(): Promise<{ readonly url: string; readonly port: number }> {
    const bound = await this.#server.listen();
    this.#armTimer();
    return bound;
  }

  dispatch(event: CoordinatorEvent): void {
    this.#queue.push(event);
    if (this.#isDispatching) return;
    this.#isDispatching = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        this.#decide(next);
      }
    } finally {
      this.#isDispatching = false;
    }
    this.#rate.limit(isTraining(this.#state));
    this.#armTimer();
  }

  /** The shell's edge: an exception is a bug, and ends the run with its text instead of the process with a stack. */
  #decide(event: CoordinatorEvent): void {
    try {
      const { state, effects } = decide(this.#state, event, this.#options.clock.nowMs());
      this.#state = state;
      for (const effect of effects) this.#execute(effect);
    } catch (error) {
      if (this.#isBroken) throw error;
      this.#isBroken = true;
      this.#options.log("error", `coordinator: ${event.kind} could not be handled: ${textOf(error)}`);
      this.#queue.push({ kind: "broken", code: "E_COORDINATOR", message: textOf(error) });
    }
  }

  /** Ends everything, the run first if it still goes on. */
  dispose(): Promise<void> {
    if (this.#state.phase !== "stopped") this.dispatch({ kind: "abort", reason: "the coordinator was closed" });
    return this.#close();
  }

  #accept(socket: ConstructorParameters<typeof WorkerSocket>[0]["socket"], address: string): void {
    const { clock, helloTimeoutMs, log } = this.#options;
    new WorkerSocket({
      socket,
      address,
      blobs: this.blobs,
      rate: this.#rate,
      clock,
      helloTimeoutMs,
      onHello: (peer, hello) => {
        const { workerId } = hello;
        if (this.#state.phase === "stopped") return "join: the run is over.";
        const before = this.#peers.get(workerId);
        if (before !== undefined) {
          before.replace();
          this.dispatch({ kind: "left", workerId, reason: "a newer connection of the same worker took its place" });
        }
        this.#peers.set(workerId, peer);
        this.dispatch({ kind: "joined", workerId, hello, ticket: randomBytes(16).toString("hex") });
        return undefined;
      },
      onMessage: (workerId, message) => this.dispatch({ kind: "message", workerId, message }),
      onHeard: (workerId) => this.dispatch({ kind: "heard", workerId }),
      onViolation: (workerId, what) => this.dispatch({ kind: "violated", workerId, what }),
      onClose: (workerId, reason) => {
        this.#peers.delete(workerId);
        this.dispatch({ kind: "left", workerId, reason });
        if (this.#peers.size === 0) this.#onPeersGone();
      },
      onStranger: (from, why) => log("warn", `${from} never joined: ${why}`),
    });
  }

  #execute(effect: CoordinatorEffect): void {
    const { directory, onEvent, onMetrics, wallClock } = this.#options;
    switch (effect.kind) {
      case "send":
        this.#peers.get(effect.to)?.send(effect.message);
        return;
      case "close":
        this.#peers.get(effect.workerId)?.close(effect.reason);
        return;
      case "enterGeneration":
        this.#relay.enterGeneration(effect.generation, effect.members);
        return;
      case "event": {
        const line = { time: wallClock().toISOString(), ...effect.line };
        this.#append("events.jsonl", line);
        onEvent(line);
        return;
      }
      case "metrics":
        this.#append("metrics.jsonl", effect.line);
        onMetrics(effect.line);
        return;
      case "journal":
        this.#journal(effect.entry);
        return;
      case "judge":
        void this.#judge(effect);
        return;
      case "beginAt":
        this.#supersede(effect.step);
        return;
      case "writeCheckpoint":
        void this.#writeCheckpoint(effect.checkpoint);
        return;
      case "offerCheckpoint":
        this.#offer(effect.step, effect.files);
        return;
      case "removeCheckpoints":
        void this.#quietly("old checkpoints", removeCheckpoints(directory.checkpointsDir, effect.steps));
        return;
      case "releaseBlobs":
        void this.#quietly("blobs", this.blobs.release(effect.sha256s));
        return;
      case "finish":
        void this.#finish(effect.summary);
        return;
      default:
        effect satisfies never;
    }
  }

  async #judge({ kind: _, ...at }: Extract<CoordinatorEffect, { kind: "judge" }>): Promise<void> {
    try {
      const stop = await this.#options.judge(at);
      this.dispatch({ kind: "judged", step: at.step, stop: stop ?? null });
    } catch (error) {
      this.dispatch({
        kind: "broken",
        code: "E_CALLBACK",
        message: `a callback after step ${at.step} threw: ${textOf(error)}`,
      });
    }
  }

  #journal(entry: JournalEntry): void {
    const problem = this.#options.journal.append(entry);
    if (problem !== undefined && problem !== this.#journalProblem) this.#options.log("error", `journal: ${problem}`);
    this.#journalProblem = problem;
  }

  /** What is left over costs room and nothing else. */
  async #quietly(what: string, work: Promise<unknown>): Promise<void> {
    await work.catch((error: unknown) => this.#options.log("warn", `${what} could not be removed: ${textOf(error)}`));
  }

  /** A full disk does not end a run: it is told once, and the lines wait for room. */
  #append(name: Parameters<RunDirectory["append"]>[0], line: object): void {
    const problem = this.#options.directory.append(name, line);
    const before = this.#lineProblems.get(name);
    if (problem !== undefined && before === undefined) this.#options.log("error", `run directory: ${problem}`);
    if (problem === undefined && before !== undefined)
      this.#options.log("warn", `run directory: ${name} can be written again, and has all its lines`);
    this.#lineProblems.set(name, problem);
  }

  #supersede(step: number): void {
    try {
      this.#options.directory.supersede(step);
    } catch (error) {
      this.#options.log("error", `run directory: later lines could not be moved aside: ${textOf(error)}`);
    }
  }

  #offer(step: number, files: readonly NamedBlob[]): void {
    const dir = join(this.#options.directory.checkpointsDir, checkpointName(step));
    for (const { name, sha256, byteLength } of files) this.blobs.addFile(sha256, join(dir, name), byteLength);
  }

  async #writeCheckpoint(checkpoint: StoredCheckpoint): Promise<void> {
    const { step, files, paramsSha256, stateHash, reasons, evalLoss } = checkpoint;
    try {
      const sources = files.map((file) => {
        const path = this.blobs.findPath(file.sha256);
        if (path === undefined) throw new Error(`"${file.name}" (${file.sha256}) was announced and never sent`);
        return { ...file, path };
      });
      await writeCheckpoint(this.#options.directory.checkpointsDir, {
        step,
        paramsSha256,
        stateHash,
        files: sources,
        reasons,
        ...(evalLoss === undefined ? {} : { evalLoss }),
      });
      this.dispatch({ kind: "checkpointWritten", step });
    } catch (error) {
      this.dispatch({ kind: "checkpointWriteFailed", step, message: textOf(error) });
    }
  }

  async #finish(summary: RunSummary): Promise<void> {
    const end = this.#writeSummary(summary);
    if (this.#peers.size > 0) {
      await new Promise<void>((resolve) => {
        const cancel = this.#options.clock.schedule(farewellMs, resolve);
        this.#onPeersGone = () => {
          cancel();
          resolve();
        };
      });
    }
    await this.#close();
    this.#resolveFinished(end);
  }

  /** A run whose summary cannot be written did not complete: other programs rely on the file. */
  #writeSummary(summary: RunSummary): RunSummary {
    try {
      this.#options.directory.writeSummary(summary);
      return summary;
    } catch (error) {
      const message = `run directory: summary.json could not be written: ${textOf(error)}. Make room, or make the folder writable.`;
      this.#options.log("error", message);
      return summary.error ? summary : { ...summary, status: "failed", error: { code: "E_RUN_DIRECTORY", message } };
    }
  }

  #close(): Promise<void> {
    this.#closed ??= (async () => {
      this.#cancelTimer();
      this.#relay.close();
      for (const peer of this.#peers.values()) peer.terminate();
      await this.#server.close();
      await this.blobs.dispose();
      this.#options.journal.dispose();
      for (const problem of this.#options.directory.dispose())
        this.#options.log("error", `run directory: at the end ${problem}`);
    })();
    return this.#closed;
  }

  #armTimer(): void {
    this.#cancelTimer();
    const deadlineMs = nextDeadlineMs(this.#state);
    if (!Number.isFinite(deadlineMs)) return;
    const delayMs = Math.min(maxTimerMs, Math.max(0, deadlineMs - this.#options.clock.nowMs()));
    this.#cancelTimer = this.#options.clock.schedule(Math.ceil(delayMs), () => this.dispatch({ kind: "tick" }));
  }
}

/** Whether steps go on that a transfer could slow down. */
function isTraining({ phase, follow }: CoordinatorState): boolean {
  return phase === "stepping" || phase === "linking" || (phase === "following" && follow?.isLast !== true);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
