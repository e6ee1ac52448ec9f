/**
 * @file A coordinator and workers as real processes on loopback, which a test can kill, freeze, cut off and start anew.
 *
 * Reads what the run leaves behind while it goes on: events.jsonl and metrics.jsonl. Ends everything it started in `dispose`.
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import {
  type Ended,
  type LockstepProcess,
  readSummary,
  type Summary,
  startLockstep,
} from "../../e2e/lockstep-process.js";
import { TcpFaultProxy } from "../tcp-fault-proxy.js";
import { type Line, LineFile } from "./line-file.js";
import { waitUntil } from "./wait-until.js";

export interface JobToTrain {
  readonly job: string;
  readonly seed: number;
  /** The job's totalSteps. */
  readonly totalSteps: number;
  /** `key=value` */
  readonly set?: readonly string[];
}

export interface GroupOptions extends JobToTrain {
  readonly out: string;
  readonly minWorkers: number;
  /** Every process is killed after this. Default 120 s. */
  readonly limitMs?: number;
  /** More flags of the coordinator. */
  readonly flags?: readonly string[];
  /** The first coordinator kills itself at this change of a checkpoint's folder. */
  readonly killAtWrite?: number;
}

export interface WorkerOptions {
  /** Its control socket goes through a fault proxy. */
  readonly isProxied?: boolean;
  /** HOST:PORT for other workers. */
  readonly listen?: string;
  /** Dials to the first port go to the second. */
  readonly redirect?: readonly [from: number, to: number];
  readonly flags?: readonly string[];
}

export interface GroupWorker {
  readonly name: string;
  readonly process: LockstepProcess;
  readonly pid: number;
  readonly proxy: TcpFaultProxy | undefined;
}

const token = "a-token-of-the-test";
const defaultLimitMs = 120_000;
const killAtWriteModule = pathToFileURL(join(import.meta.dirname, "kill-at-write.mjs")).href;
const redirectDials = pathToFileURL(join(import.meta.dirname, "redirect-dials.mjs")).href;

export class TrainingGroup {
  readonly out: string;
  readonly workers = new Map<string, GroupWorker>();
  readonly #options: GroupOptions;
  readonly #events: LineFile;
  readonly #metrics: LineFile;
  readonly #proxies: TcpFaultProxy[] = [];
  #coordinator!: LockstepProcess;
  #port = 0;

  private constructor(options: GroupOptions) {
    this.#options = options;
    this.out = options.out;
    this.#events = new LineFile(join(options.out, "events.jsonl"));
    this.#metrics = new LineFile(join(options.out, "metrics.jsonl"));
  }

  /** A coordinator that waits for workers. */
  static async start(options: GroupOptions): Promise<TrainingGroup> {
    const group = new TrainingGroup(options);
    const { job, seed, totalSteps, set = [], minWorkers, out, flags = [] } = options;
    const settings = [`totalSteps=${totalSteps}`, ...set].flatMap((pair) => ["--set", pair]);
    const how = ["--seed", String(seed), "--min-workers", String(minWorkers), "--out", out, "--port", "0"];
    await group.#startCoordinator([job, ...how, ...settings, ...flags], options.killAtWrite);
    return group;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#port}`;
  }

  get coordinatorPid(): number {
    return this.#coordinator.child.pid!;
  }

  async addWorker(name: string, options: WorkerOptions = {}): Promise<GroupWorker> {
    const proxy = options.isProxied === true ? await TcpFaultProxy.start({ targetPort: this.#port }) : undefined;
    if (proxy) this.#proxies.push(proxy);
    const args = ["worker", proxy ? `ws://127.0.0.1:${proxy.port}` : this.url, "--name", name, "--threads", "1"];
    if (options.listen !== undefined) args.push("--listen", options.listen);
    const process = startLockstep([...args, ...(options.flags ?? [])], {
      env: { ...environment(), ...redirectEnvironment(options.redirect) },
      limitMs: this.#limitMs,
    });
    const worker = { name, process, pid: process.child.pid!, proxy };
    this.workers.set(name, worker);
    return worker;
  }

  /** Sends a signal to a worker. A killed one is no longer listed. */
  signal(name: string, signal: "SIGKILL" | "SIGSTOP" | "SIGCONT" | "SIGINT"): void {
    const worker = this.workers.get(name);
    if (!worker) throw new Error(`there is no worker ${name}; there are ${[...this.workers.keys()].join(", ")}`);
    worker.process.child.kill(signal);
    if (signal === "SIGKILL") this.workers.delete(name);
  }

  async killCoordinator(): Promise<void> {
    this.#coordinator.child.kill("SIGKILL");
    await this.#coordinator.ended;
  }

  get checkpointsDir(): string {
    return join(this.out, "checkpoints");
  }

  /** Waits until the coordinator's process is gone. @returns by which signal, or with which status. */
  async coordinatorEnd(): Promise<string> {
    const { status } = await this.#coordinator.ended;
    return this.#coordinator.child.signalCode ?? `status ${status}`;
  }

  /** The same run goes on at the same address. */
  async restartCoordinator({ killAtWrite }: { readonly killAtWrite?: number | undefined } = {}): Promise<void> {
    const { job, minWorkers, out, flags = [] } = this.#options;
    const how = ["--resume", out, "--min-workers", String(minWorkers), "--port", String(this.#port)];
    await this.#startCoordinator([job, ...how, ...flags], killAtWrite);
  }

  /** Stops cleanly after the current step. */
  interrupt(): void {
    this.#coordinator.child.kill("SIGINT");
  }

  events(): readonly Line[] {
    return this.#events.read();
  }

  metrics(): readonly Line[] {
    return this.#metrics.read();
  }

  /** Last committed step, as events.jsonl has it. */
  get step(): number {
    return this.events().findLast(({ type }) => type === "commit")?.step ?? 0;
  }

  /** Names of the last generation. */
  get members(): readonly string[] {
    const generation = this.events().findLast(({ type }) => type === "generation");
    return ((generation?.members ?? []) as { name: string }[]).map(({ name }) => name);
  }

  waitForStep(step: number, limitMs = 30_000): Promise<true> {
    return this.#wait(`step ${step} to be committed`, limitMs, () => this.step >= step || undefined);
  }

  /** The next committed step after what is committed now. */
  waitForProgress(numSteps = 1, limitMs = 30_000): Promise<true> {
    return this.waitForStep(this.step + numSteps, limitMs);
  }

  /** A generation of exactly these workers, and a step that it committed. */
  waitForMembers(names: readonly string[], limitMs = 30_000): Promise<true> {
    const wanted = [...names].sort().join(" ");
    return this.#wait(`a step of a generation with members ${wanted}`, limitMs, () => {
      const events = this.events();
      const at = events.findLastIndex(({ type }) => type === "generation");
      if (at < 0) return undefined;
      const members = (events[at]!.members as { name: string }[]).map(({ name }) => name);
      return (
        (members.sort().join(" ") === wanted && events.slice(at).some(({ type }) => type === "commit")) || undefined
      );
    });
  }

  /** The first event of a type after `from` events, with text in its reason. */
  waitForEvent(type: string, { from = 0, reason = "", limitMs = 30_000 } = {}): Promise<Line> {
    return this.#wait(`event ${type} "${reason}"`, limitMs, () =>
      this.events()
        .slice(from)
        .find((event) => event.type === type && String(event.reason).includes(reason)),
    );
  }

  /** Waits for the coordinator's end. */
  async finish(): Promise<Ended & { readonly summary: Summary }> {
    const ended = await this.#coordinator.ended;
    if (ended.status === null) throw new Error(`the coordinator was killed after its limit\n${this.describe()}`);
    return { ...ended, summary: readSummary(this.out) };
  }

  async dispose(): Promise<void> {
    for (const { process } of [...this.workers.values(), { process: this.#coordinator }]) {
      if (process.child.exitCode !== null || process.child.signalCode !== null) continue;
      process.child.kill("SIGKILL");
      await process.ended;
    }
    for (const proxy of this.#proxies) await proxy.stop();
  }

  /** The last events, for the message of a failed wait. */
  describe(): string {
    const events = this.events();
    const told = events.filter(({ type }) => type !== "commit").slice(-15);
    const last = [...told, ...events.slice(-1)];
    const processes = [...this.workers].map(([name, { pid }]) => `${name} ${pid}`).join(", ");
    return [...last.map((event) => JSON.stringify(event).slice(0, 300)), `workers: ${processes}`].join("\n");
  }

  get #limitMs(): number {
    return this.#options.limitMs ?? defaultLimitMs;
  }

  #wait<T>(what: string, limitMs: number, look: () => T | undefined): Promise<T> {
    return waitUntil(
      what,
      limitMs,
      () => {
        const { exitCode, signalCode } = this.#coordinator.child;
        const found = look();
        if (found === undefined && exitCode !== null && signalCode === null)
          throw new Error(`the coordinator ended with ${exitCode} before ${what}\n${this.describe()}`);
        return found;
      },
      () => this.describe(),
    );
  }

  async #startCoordinator(args: readonly string[], killAtWrite?: number): Promise<void> {
    const env = { ...environment(), ...killEnvironment(killAtWrite) };
    this.#coordinator = startLockstep(["coordinator", ...args], { env, limitMs: this.#limitMs });
    const [, port] = await this.#coordinator.sees(/ws:\/\/127\.0\.0\.1:(\d+)/);
    this.#port = Number(port);
  }
}

function environment(): NodeJS.ProcessEnv {
  return { ...process.env, LOCKSTEP_TOKEN: token };
}

function killEnvironment(killAtWrite: number | undefined): NodeJS.ProcessEnv {
  if (killAtWrite === undefined) return {};
  return { KILL_AT: String(killAtWrite), NODE_OPTIONS: `--import ${killAtWriteModule}` };
}

function redirectEnvironment(redirect: WorkerOptions["redirect"]): NodeJS.ProcessEnv {
  if (redirect === undefined) return {};
  const [from, to] = redirect;
  return { REDIRECT_FROM: String(from), REDIRECT_TO: String(to), NODE_OPTIONS: `--import ${redirectDials}` };
}
