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
import { type RunLock, takeRunLock } from "./run-lock.js";

const lineFiles = ["metrics.jsonl", "events.jsonl"] as const;

export interface RunDirectoryOptions {
  readonly dir: string;
  /** Lines after this step are superseded; undefined for a new run. */
  readonly resumeStep: number | undefined;
  readonly processId: number;
  /** Whether the process that holds a lock still lives on this machine. */
  readonly isAlive: (processId: number) => boolean;
}

export class RunDirectory {
  readonly dir: string;
  readonly checkpointsDir: string;
  readonly #files = new Map<string, number>();
  readonly #lock: RunLock;

  /** @throws {CoordinatorError} E_RUN_IN_USE when another process holds the directory. */
  constructor({ dir, resumeStep, processId, isAlive }: RunDirectoryOptions) {
    this.dir = dir;
    this.checkpointsDir = join(dir, "checkpoints");
    mkdirSync(this.checkpointsDir, { recursive: true });
    this.#lock = takeRunLock({ path: join(dir, "lock"), dir, processId, isAlive });
    try {
      if (resumeStep !== undefined) this.supersede(resumeStep);
      this.#openFiles();
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /**
   * Moves what came after a step aside: lines and checkpoints to `*.superseded`. For a run that goes on from an older checkpoint, also
   * when it learns that only after it began.
   */
  supersede(step: number): void {
    this.#closeFiles();
    for (const name of lineFiles) supersedeLines(join(this.dir, name), step);
    supersedeCheckpoints(this.checkpointsDir, step);
    rmSync(join(this.dir, "summary.json"), { force: true });
    this.#openFiles();
  }

  append(name: (typeof lineFiles)[number], line: object): void {
    const file = this.#files.get(name);
    if (file !== undefined) writeSync(file, `${JSON.stringify(line)}\n`);
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

  /** Closes the files and gives the lock back. */
  dispose(): void {
    this.#closeFiles();
    this.#lock.dispose();
  }

  #openFiles(): void {
    for (const name of lineFiles) {
      if (!this.#files.has(name)) this.#files.set(name, openSync(join(this.dir, name), "a"));
    }
  }

  #closeFiles(): void {
    for (const file of this.#files.values()) closeSync(file);
    this.#files.clear();
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
