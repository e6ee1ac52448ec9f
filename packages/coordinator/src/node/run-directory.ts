/**
 * @file The run directory while a run goes on: the lock, metrics.jsonl, events.jsonl, summary.json.
 *
 * Not here: job.mjs, config.json and files/, which the command writes before. Invariant: in both jsonl files a step has one line of
 * each kind; a resumed run moves what came after its checkpoint to `*.superseded`.
 */
import {
  appendFileSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { RunSummary } from "../state/run-summary.js";
import { LineWriter } from "./line-writer.js";
import { type RunLock, takeRunLock } from "./run-lock.js";

const lineFiles = ["metrics.jsonl", "events.jsonl"] as const;

export interface RunDirectoryOptions {
  readonly dir: string;
  /** Whether it holds a run that is taken up again. */
  readonly isResumed: boolean;
  readonly processId: number;
  /** Whether the process that holds a lock still lives on this machine. */
  readonly isAlive: (processId: number) => boolean;
}

export class RunDirectory {
  readonly dir: string;
  readonly checkpointsDir: string;
  readonly #files = new Map<string, LineWriter>();
  readonly #lock: RunLock;

  /** @throws {CoordinatorError} E_RUN_IN_USE when another process holds the directory. */
  constructor({ dir, isResumed, processId, isAlive }: RunDirectoryOptions) {
    this.dir = dir;
    this.checkpointsDir = join(dir, "checkpoints");
    mkdirSync(this.checkpointsDir, { recursive: true });
    this.#lock = takeRunLock({ path: join(dir, "lock"), dir, processId, isAlive });
    if (isResumed) rmSync(join(dir, "summary.json"), { force: true });
    for (const name of lineFiles) this.#files.set(name, new LineWriter(join(dir, name)));
  }

  /** The run goes on from this step: lines and checkpoints of later ones move to `*.superseded`. */
  supersede(step: number): void {
    for (const writer of this.#files.values()) writer.reopen(step, (path) => supersedeLines(path, step));
    supersedeCheckpoints(this.checkpointsDir, step);
  }

  /** Steps of the checkpoints that are there, ascending. */
  checkpointSteps(): number[] {
    const found = readdirSync(this.checkpointsDir).map((name) => /^step-(\d+)$/.exec(name));
    return found.flatMap((match) => (match === null ? [] : [Number(match[1])])).sort((a, b) => a - b);
  }

  /** Step of the last whole line, -1 when there is none. */
  lastStepOf(name: (typeof lineFiles)[number]): number {
    const lines = readFileSync(join(this.dir, name), "utf8").split("\n");
    return Math.max(-1, ...lines.slice(-64).flatMap((line) => stepOf(line) ?? []));
  }

  /** @returns why lines could not be written and wait; undefined when all are written. */
  append(name: (typeof lineFiles)[number], line: object): string | undefined {
    return this.#files.get(name)?.append(line);
  }

  writeSummary(summary: RunSummary): void {
    const path = join(this.dir, "summary.json");
    const temporary = `${path}.tmp`;
    const file = openSync(temporary, "w");
    writeSync(file, `${JSON.stringify(summary, null, 2)}\n`);
    fsyncSync(file);
    closeSync(file);
    renameSync(temporary, path);
  }

  /** Closes the files and gives the lock back. @returns why lines were lost. */
  dispose(): readonly string[] {
    const problems = [...this.#files.values()].flatMap((writer) => writer.close() ?? []);
    this.#files.clear();
    this.#lock.dispose();
    return problems;
  }
}

/** Moves lines of later steps, and lines that a crash cut short, to `*.superseded`. */
export function supersedeLines(path: string, resumeStep: number): void {
  if (!existsSync(path)) return;
  const kept: string[] = [];
  const moved: string[] = [];
  for (const line of readFileSync(path, "utf8").split("\n")) {
    if (line === "") continue;
    const step = stepOf(line);
    (step !== undefined && step <= resumeStep ? kept : moved).push(line);
  }
  if (moved.length === 0) return;
  appendFileSync(`${path}.superseded`, `${moved.join("\n")}\n`);
  const temporary = `${path}.tmp`;
  writeFileSync(temporary, kept.map((line) => `${line}\n`).join(""));
  renameSync(temporary, path);
}

function stepOf(line: string): number | undefined {
  try {
    const { step } = JSON.parse(line) as { step?: unknown };
    return typeof step === "number" ? step : undefined;
  } catch {
    return undefined;
  }
}

function supersedeCheckpoints(checkpointsDir: string, resumeStep: number): void {
  for (const name of readdirSync(checkpointsDir)) {
    const match = /^step-(\d+)$/.exec(name);
    if (match === null || Number(match[1]) <= resumeStep) continue;
    const target = join(checkpointsDir, `${name}.superseded`);
    rmSync(target, { recursive: true, force: true });
    renameSync(join(checkpointsDir, name), target);
  }
}
