/**
 * @file Reads a journal from its beginning to what is known at its end. Streams: a million lines need neither their bytes nor their
 * records in memory, only where each commit stands.
 */
import { readSync } from "node:fs";
import type { JournalEntry } from "../state/journal-entry.js";
import type { MetricsLine } from "../state/run-summary.js";
import { CoordinatorError } from "./coordinator-error.js";
import {
  checkJournalLine,
  commitStepOf,
  parseJournalRecord,
  type RunRecord,
  type StoredRecord,
} from "./journal-record.js";

const blockBytes = 1 << 20;
const newline = 0x0a;

type EntryOf<K extends JournalEntry["kind"]> = Extract<JournalEntry, { readonly kind: K }>;

/** What the records of earlier coordinators say together. */
export interface JournalHistory {
  /** The last start; undefined in a journal that has none yet. */
  readonly run: Omit<RunRecord, "kind"> | undefined;
  /** The journal lies elsewhere than at its last start: the directory was copied. */
  readonly isCopy: boolean;
  readonly generation: number;
  /** Last step that a commit, a checkpoint or a rewind names; 0 for a new journal. */
  readonly committedStep: number;
  /** Undefined also when the step that a rewind went back to was committed before this journal began. */
  readonly lastCommit: EntryOf<"commit"> | undefined;
  /** Of the last commit. */
  readonly metrics: MetricsLine | undefined;
  /** Ids of the last membership's workers; none after an end, because they were told that nobody need come back. */
  readonly members: readonly string[];
  /** In the order in which they were written last, one a step. */
  readonly checkpoints: readonly EntryOf<"checkpoint">[];
  /** Evaluation loss by step. */
  readonly evaluations: ReadonlyMap<number, number>;
  /** Values of the job's metrics by step, where it has any. */
  readonly metricValues: ReadonlyMap<number, Readonly<Record<string, number>>>;
  /** By the step after which each became the scale. */
  readonly lossScales: ReadonlyMap<number, number>;
  /** How many, by workerId. */
  readonly strikes: ReadonlyMap<string, number>;
  readonly banned: ReadonlyMap<string, { readonly name: string; readonly reason: string }>;
  /** How the last coordinator ended; undefined when it was cut short. */
  readonly end: EntryOf<"end"> | undefined;
  /** Bytes at the end of the file that a crash cut short, and that do not count. */
  readonly numTornBytes: number;
}

export type FoldedHistory = Omit<JournalHistory, "isCopy"> & {
  /** Where the whole lines end. */
  readonly wholeBytes: number;
};

/** @throws {CoordinatorError} E_JOURNAL when a line is damaged and a whole one follows, or a line is of another version. */
export function foldJournal(file: number, path: string): FoldedHistory {
  const fold = new JournalFold(path);
  let damagedAt: { readonly offset: number; readonly line: number } | undefined;
  let numLines = 0;
  const totalBytes = forEachLine(file, (line, offset, isEnded) => {
    numLines++;
    const body = isEnded ? checkJournalLine(line) : undefined;
    if (body === undefined) damagedAt ??= { offset, line: numLines };
    else if (damagedAt !== undefined) throw damaged(path, damagedAt, "whole lines follow it");
    else fold.take(body, offset, numLines);
    return "go";
  });
  if (damagedAt?.offset === 0 && numLines > 1)
    throw damaged(path, damagedAt, "and none of the lines after it is whole");
  const wholeBytes = damagedAt?.offset ?? totalBytes;
  return { ...fold.finish(file), numTornBytes: totalBytes - wholeBytes, wholeBytes };
}

function damaged(path: string, at: { readonly offset: number; readonly line: number }, what: string): CoordinatorError {
  const text = `journal: line ${at.line} of ${path} (byte ${at.offset}) does not have the sha256 that it names, ${what}; only the end of a journal may be damaged, by a crash. Restore the file, or begin a run in another directory with --init-from a checkpoint.`;
  return new CoordinatorError("E_JOURNAL", text, { path, line: at.line, offset: at.offset });
}

class JournalFold {
  readonly #path: string;
  /** Commits that count, ascending by step: 16 bytes each. */
  readonly #commitSteps: number[] = [];
  readonly #commitOffsets: number[] = [];
  #run: RunRecord | undefined;
  #committedStep = 0;
  #generation = 0;
  #members: readonly string[] = [];
  #checkpoints: EntryOf<"checkpoint">[] = [];
  readonly #evaluations = new Map<number, number>();
  readonly #metricValues = new Map<number, Readonly<Record<string, number>>>();
  readonly #lossScales = new Map<number, number>();
  readonly #strikes = new Map<string, number>();
  readonly #banned = new Map<string, { readonly name: string; readonly reason: string }>();
  #end: EntryOf<"end"> | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  take(body: Buffer, offset: number, line: number): void {
    const step = commitStepOf(body);
    if (step === undefined) this.#takeRecord(this.#parse(body, line));
    else {
      // The commit of a step that a crash had hidden is written again: the later line counts.
      this.#forgetCommitsAfter(step - 1);
      this.#commitSteps.push(step);
      this.#commitOffsets.push(offset);
      this.#committedStep = Math.max(this.#committedStep, step);
    }
  }

  finish(file: number): Omit<FoldedHistory, "numTornBytes" | "wholeBytes"> {
    const lastCommit = this.#readLastCommit(file);
    return {
      run: this.#run,
      // A membership that a full disk dropped shows in the commits of its generation.
      generation: Math.max(this.#generation, lastCommit?.generation ?? 0),
      committedStep: this.#committedStep,
      lastCommit,
      metrics: lastCommit?.metrics ?? undefined,
      members: this.#members,
      checkpoints: this.#checkpoints,
      evaluations: this.#evaluations,
      metricValues: this.#metricValues,
      lossScales: this.#lossScales,
      strikes: this.#strikes,
      banned: this.#banned,
      end: this.#end,
    };
  }

  #parse(body: Buffer, line: number): StoredRecord {
    try {
      return parseJournalRecord(body);
    } catch (cause) {
      const text = `journal: line ${line} of ${this.#path} is whole and is no record that this version knows: ${body.toString("utf8", 0, 120)}. Continue with the version that wrote it.`;
      throw new CoordinatorError("E_JOURNAL", text, { path: this.#path, line }, { cause });
    }
  }

  #takeRecord(record: StoredRecord): void {
    switch (record.kind) {
      case "run":
        if (this.#run !== undefined && this.#run.runId !== record.runId) this.#forgetWorkers();
        this.#run = record;
        this.#end = undefined;
        return;
      case "membership":
        this.#generation = record.generation;
        this.#members = record.members.map(({ workerId }) => workerId);
        return;
      case "evaluated":
        this.#evaluations.set(record.step, record.evalLoss);
        if (record.metrics !== undefined) this.#metricValues.set(record.step, record.metrics);
        return;
      case "lossScale":
        this.#lossScales.set(record.step, record.lossScale);
        return;
      case "checkpoint":
        this.#checkpoints = [...this.#checkpoints.filter(({ step }) => step !== record.step), record];
        this.#committedStep = Math.max(this.#committedStep, record.step);
        return;
      case "strike":
        this.#strikes.set(record.workerId, (this.#strikes.get(record.workerId) ?? 0) + 1);
        return;
      case "ban":
        this.#banned.set(record.workerId, { name: record.name, reason: record.reason });
        return;
      case "rewind":
        this.#rewind(record.step);
        return;
      case "end":
        this.#end = record;
        this.#members = [];
        return;
      case "commit":
        // A commit is known by its first bytes; one that is not was written by somebody else.
        throw new CoordinatorError("E_JOURNAL", `journal: a commit in ${this.#path} has its fields in another order.`);
      default:
        record satisfies never;
    }
  }

  /** A fork is a run of its own: it has no workers that could come back, and accuses nobody. */
  #forgetWorkers(): void {
    this.#members = [];
    this.#strikes.clear();
    this.#banned.clear();
  }

  #rewind(step: number): void {
    this.#forgetCommitsAfter(step);
    this.#committedStep = step;
    this.#checkpoints = this.#checkpoints.filter((checkpoint) => checkpoint.step <= step);
    for (const byStep of [this.#evaluations, this.#metricValues, this.#lossScales]) {
      for (const evaluated of byStep.keys()) if (evaluated > step) byStep.delete(evaluated);
    }
  }

  #forgetCommitsAfter(step: number): void {
    while ((this.#commitSteps.at(-1) ?? -1) > step) {
      this.#commitSteps.pop();
      this.#commitOffsets.pop();
    }
  }

  #readLastCommit(file: number): EntryOf<"commit"> | undefined {
    const offset = this.#commitOffsets.at(-1);
    if (offset === undefined) return undefined;
    let commit: EntryOf<"commit"> | undefined;
    forEachLine(
      file,
      (line, at) => {
        const record = this.#parse(checkJournalLine(line) ?? line, at);
        // The metrics are the coordinator's own, behind a checksum.
        if (record.kind === "commit") commit = record as unknown as EntryOf<"commit">;
        return "stop";
      },
      offset,
    );
    return commit;
  }
}

/** Calls `take` for each line from `begin` on; `isEnded` is false for a last line without its end. @returns where the file ends. */
function forEachLine(
  file: number,
  take: (line: Buffer, offset: number, isEnded: boolean) => "go" | "stop",
  begin = 0,
): number {
  let rest: Buffer = Buffer.alloc(0);
  let restAt = begin;
  for (;;) {
    const block = Buffer.allocUnsafe(blockBytes);
    const bytesRead = readSync(file, block, 0, blockBytes, restAt + rest.length);
    if (bytesRead === 0) break;
    const bytes = Buffer.concat([rest, block.subarray(0, bytesRead)]);
    let from = 0;
    for (let to = bytes.indexOf(newline); to !== -1; to = bytes.indexOf(newline, from)) {
      if (take(bytes.subarray(from, to), restAt + from, true) === "stop") return restAt + to;
      from = to + 1;
    }
    rest = bytes.subarray(from);
    restAt += from;
  }
  if (rest.length > 0) take(rest, restAt, false);
  return restAt + rest.length;
}
