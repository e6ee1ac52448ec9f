/**
 * @file A run that is disturbed for minutes: kills, freezes, joins and restarts of the coordinator at moments that a seed chooses.
 *
 * It fails when no step is committed for `watchdogMs`, when a worker that nobody killed ends, when memory grows, and when the same
 * number of undisturbed steps gives other bits.
 */
import { join } from "node:path";
import { Generator } from "@lockstep/core";
import type { Line } from "../lib/line-file.js";
import { findViolations, undisturbed } from "../lib/run-checks.js";
import { TrainingGroup } from "../lib/training-group.js";
import { pause } from "../lib/wait-until.js";
import { chooseFault, type SoakFault } from "./choose-fault.js";
import { type MemoryVerdict, MemoryWatch } from "./memory-watch.js";

export interface SoakOptions {
  readonly minutes: number;
  readonly seed: number;
  readonly folder: string;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface SoakResult {
  readonly steps: number;
  readonly faults: Readonly<Record<SoakFault["kind"], number>>;
  readonly longestGapMs: number;
  readonly memory: readonly MemoryVerdict[];
  /** Empty when the soak passed. */
  readonly failures: readonly string[];
}

const watchdogMs = 60_000;
const endMs = 120_000;
const sampleIntervalMs = 2_000;
const steadfast = "w0";
const meanPauseMs = 2_500;
/** More steps than anybody soaks; the schedule's horizon is part of the configuration and must be the same in both runs. */
const totalSteps = 10_000_000;

export async function soakRun({ minutes, seed, folder, log, signal }: SoakOptions): Promise<SoakResult> {
  const set = ["checkpointIntervalSteps=100", "evalIntervalSteps=250"];
  const job = { job: "tests/e2e/jobs/steady", seed, totalSteps, set };
  const out = join(folder, "run");
  const limitMs = (minutes + 10) * 60_000;
  const group = await TrainingGroup.start({ ...job, out, minWorkers: 1, limitMs });
  const soak = new Soak(group, seed, log);
  try {
    await soak.disturb(minutes * 60_000, signal);
    group.interrupt();
    const { summary } = await orTimeOut(group.finish(), endMs, () => `no end after Ctrl-C\n${group.describe()}`);
    log(`soak: ${summary.steps} steps disturbed; now the same undisturbed, by one worker`);
    const expected = await undisturbed(job, folder, summary.steps);
    soak.failures.push(...findViolations(out, expected, { status: "interrupted" }));
    return soak.result(summary.steps);
  } catch (error) {
    soak.failures.push((error as Error).message);
    return soak.result(group.step);
  } finally {
    await group.dispose();
  }
}

class Soak {
  readonly failures: string[] = [];
  readonly #group: TrainingGroup;
  readonly #random: Generator;
  readonly #log: (line: string) => void;
  readonly #memory = new MemoryWatch();
  readonly #faults = { kill: 0, freeze: 0, join: 0, restartCoordinator: 0 };
  #numStarted = 0;
  #lastStep = 0;
  #lastCommitMs = performance.now();

  constructor(group: TrainingGroup, seed: number, log: (line: string) => void) {
    this.#group = group;
    this.#random = new Generator(seed);
    this.#log = log;
  }

  async disturb(forMs: number, signal: AbortSignal): Promise<void> {
    const untilMs = performance.now() + forMs;
    for (let index = 0; index < 3; index++) await this.#startWorker();
    await this.#group.waitForStep(1, watchdogMs);
    this.#lastCommitMs = performance.now();
    const watch = setInterval(() => this.#sampleMemory(), sampleIntervalMs);
    try {
      while (performance.now() < untilMs && !signal.aborted) {
        await this.#watch(this.#random.uniform() * 2 * meanPauseMs);
        const fault = chooseFault(this.#random, {
          running: [...this.#group.workers.keys()],
          members: this.#group.members,
          steadfast,
          numStarted: this.#numStarted,
        });
        if (fault) await this.#apply(fault);
      }
    } finally {
      clearInterval(watch);
    }
  }

  result(steps: number): SoakResult {
    const memory = this.#memory.verdicts();
    const grown = memory
      .filter(({ isFlat }) => !isFlat)
      .map(({ name, earlyBytes, lateBytes }) => `memory of ${name} grew from ${earlyBytes} to ${lateBytes} bytes`);
    const unused = Object.entries(this.#faults).flatMap(([kind, count]) => (count === 0 ? [kind] : []));
    if (unused.length > 0) this.#log(`soak: too short for ${unused.join(", ")}: none happened`);
    return {
      steps,
      faults: this.#faults,
      longestGapMs: longestGapMs(this.#group.events()),
      memory,
      failures: [...this.failures, ...grown],
    };
  }

  async #startWorker(): Promise<void> {
    await this.#group.addWorker(`w${this.#numStarted++}`);
  }

  async #apply(fault: SoakFault): Promise<void> {
    this.#faults[fault.kind]++;
    const { kind, ...how } = fault;
    this.#log(`soak: step ${this.#group.step}: ${kind} ${Object.values(how).join(" ")}`);
    switch (fault.kind) {
      case "kill":
        this.#group.signal(fault.name, "SIGKILL");
        return;
      case "join":
        await this.#startWorker();
        return;
      case "freeze":
        this.#group.signal(fault.name, "SIGSTOP");
        await this.#watch(fault.forMs);
        this.#group.signal(fault.name, "SIGCONT");
        return;
      case "restartCoordinator":
        await this.#group.killCoordinator();
        this.#memory.forget("coordinator");
        await pause(fault.awayMs);
        await this.#group.restartCoordinator();
        return;
      default:
        fault satisfies never;
    }
  }

  /** Waits, and looks meanwhile whether the run goes on. @throws when it hangs or a worker ended that nobody killed. */
  async #watch(forMs: number): Promise<void> {
    const untilMs = performance.now() + forMs;
    for (;;) {
      const nowMs = performance.now();
      const { step } = this.#group;
      if (step > this.#lastStep) {
        this.#lastStep = step;
        this.#lastCommitMs = nowMs;
      }
      const gapMs = nowMs - this.#lastCommitMs;
      if (gapMs > watchdogMs) throw new Error(`no step was committed for ${watchdogMs} ms\n${this.#group.describe()}`);
      for (const { name, process } of this.#group.workers.values()) {
        if (process.child.exitCode === null && process.child.signalCode === null) continue;
        const { status, stderr } = await process.ended;
        throw new Error(
          `worker ${name} ended by itself with ${status}: ${stderr.slice(-2_000)}\n${this.#group.describe()}`,
        );
      }
      if (nowMs >= untilMs) return;
      await pause(Math.min(100, untilMs - nowMs));
    }
  }

  #sampleMemory(): void {
    const worker = this.#group.workers.get(steadfast);
    if (worker) this.#memory.sample(steadfast, worker.pid);
    if (this.#faults.restartCoordinator === 0) this.#memory.sample("coordinator", this.#group.coordinatorPid);
  }
}

/** Between two commits, by the coordinator's clock. */
function longestGapMs(events: readonly Line[]): number {
  const times = events.filter(({ type }) => type === "commit").map(({ time }) => Date.parse(String(time)));
  return times.reduce((longest, time, index) => Math.max(longest, time - (times[index - 1] ?? time)), 0);
}

async function orTimeOut<T>(promise: Promise<T>, limitMs: number, describe: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(describe())), limitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
