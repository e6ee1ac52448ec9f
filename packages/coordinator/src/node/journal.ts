/**
 * @file The journal of a run, `journal.jsonl`: what a coordinator that takes the run up again must know. One JSON value a line, with a
 * checksum; appended, never changed.
 *
 * Membership, terms, checkpoints and bans are synced to disk before anything else happens; commits are not, because a step that only
 * the workers know is found again in their hands. Not here: what the entries mean to a run (decide/begin.ts).
 */
import { createHash } from "node:crypto";
import { closeSync, existsSync, fstatSync, fsyncSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import type { JournalEntry } from "../state/journal-entry.js";
import type { MetricsLine } from "../state/run-summary.js";
import { CoordinatorError } from "./coordinator-error.js";

/** Where a directory lies: a move on one file system keeps it, a copy does not. */
export interface DirectoryIdentity {
  readonly host: string;
  readonly inode: string;
}

/** A coordinator begins: the first record of each term. */
interface RunRecord {
  readonly kind: "run";
  readonly runId: string;
  readonly term: number;
  readonly jobSha256: string;
  readonly lockstepVersion: string;
  readonly directory: DirectoryIdentity;
}

export type JournalRecord = RunRecord | JournalEntry;

/** What the records of earlier coordinators say together. */
export interface JournalHistory {
  /** Undefined in a journal that has no record yet. */
  readonly run: Omit<RunRecord, "kind"> | undefined;
  readonly isCopy: boolean;
  readonly generation: number;
  readonly committedStep: number;
  readonly metrics: MetricsLine | undefined;
  readonly members: readonly string[];
  readonly evaluations: ReadonlyMap<number, number>;
  readonly strikes: ReadonlyMap<string, number>;
  readonly banned: ReadonlyMap<string, { readonly name: string; readonly reason: string }>;
  /** Bytes of a last line that a crash cut short, and that were cut off. */
  readonly numTornBytes: number;
}

const fileName = "journal.jsonl";
const syncedKinds: ReadonlySet<string> = new Set(["run", "membership", "rewind", "checkpoint", "ban", "end"]);
/** Records that wait while the disk takes none. */
const maxWaiting = 10_000;
const chunkBytes = 1_048_576;

export class Journal {
  readonly #file: number;
  readonly #identity: DirectoryIdentity;
  #waiting: string[] = [];
  #numLost = 0;
  #isClosed = false;

  private constructor(file: number) {
    this.#file = file;
    this.#identity = identityOf(file);
  }

  /**
   * Opens or makes the journal of a run directory and reads it.
   *
   * @throws {CoordinatorError} E_JOURNAL for a line that is damaged and not the last one.
   */
  static open(dir: string): { readonly journal: Journal; readonly history: JournalHistory } {
    const path = join(dir, fileName);
    const isNew = !existsSync(path);
    const file = openSync(path, isNew ? "wx+" : "r+");
    const journal = new Journal(file);
    try {
      const fold = new HistoryFold();
      const numTornBytes = readRecords(file, path, (record) => fold.add(record));
      return { journal, history: fold.result(journal.#identity, numTornBytes) };
    } catch (error) {
      closeSync(file);
      throw error;
    }
  }

  /** Begins a term. @throws what the file system says: a run whose journal cannot be written must not begin. */
  begin(record: Omit<RunRecord, "kind" | "directory">): void {
    const problem = this.append({ kind: "run", ...record, directory: this.#identity });
    if (problem !== undefined) throw new CoordinatorError("E_JOURNAL", `journal: ${problem}.`, {});
  }

  /** @returns what went wrong, in words. Records that the disk did not take wait for the next call. */
  append(record: JournalRecord): string | undefined {
    if (this.#isClosed) return undefined;
    this.#waiting.push(lineOf(record));
    if (this.#waiting.length > maxWaiting) {
      this.#waiting.shift();
      this.#numLost++;
    }
    try {
      while (this.#waiting.length > 0) {
        this.#write(this.#waiting[0]!);
        this.#waiting.shift();
      }
      if (syncedKinds.has(record.kind)) fsyncSync(this.#file);
      return undefined;
    } catch (error) {
      const lost = this.#numLost > 0 ? `, ${this.#numLost} are lost` : "";
      const why = error instanceof Error ? error.message : String(error);
      return `${this.#waiting.length} records wait to be written${lost} (${why}). Make room, or make the folder writable`;
    }
  }

  dispose(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.#file);
  }

  /** Whole or not at all: what was written in part is taken back. */
  #write(line: string): void {
    const { size } = fstatSync(this.#file);
    const bytes = Buffer.from(line);
    try {
      let written = 0;
      while (written < bytes.byteLength)
        written += writeSync(this.#file, bytes, written, bytes.byteLength - written, size + written);
    } catch (error) {
      ftruncateSync(this.#file, size);
      throw error;
    }
  }
}

function identityOf(file: number): DirectoryIdentity {
  const { ino } = fstatSync(file, { bigint: true });
  return { host: hostname(), inode: String(ino) };
}

function lineOf(record: JournalRecord): string {
  const text = JSON.stringify(record);
  return `${checksumOf(text)} ${text}\n`;
}

function checksumOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/** Calls back for each whole record, and cuts off a damaged last line. @returns how many bytes were cut off. */
function readRecords(file: number, path: string, take: (record: JournalRecord) => void): number {
  const { size } = fstatSync(file);
  const chunk = Buffer.allocUnsafe(chunkBytes);
  let rest = Buffer.alloc(0);
  let position = 0;
  let goodBytes = 0;
  let numLines = 0;
  let bad: number | undefined;
  while (position < size) {
    const numRead = readSync(file, chunk, 0, chunkBytes, position);
    if (numRead === 0) break;
    position += numRead;
    const bytes = Buffer.concat([rest, chunk.subarray(0, numRead)]);
    let begin = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, begin)) {
      const record = recordOf(bytes.toString("utf8", begin, end));
      numLines++;
      if (bad !== undefined) throw damaged(path, bad);
      if (record === undefined) bad = numLines;
      else {
        goodBytes += end + 1 - begin;
        take(record);
      }
      begin = end + 1;
    }
    rest = Buffer.from(bytes.subarray(begin));
  }
  if (bad !== undefined && rest.byteLength > 0) throw damaged(path, bad);
  if (goodBytes < size) ftruncateSync(file, goodBytes);
  return size - goodBytes;
}

function recordOf(line: string): JournalRecord | undefined {
  const text = line.slice(17);
  if (line[16] !== " " || checksumOf(text) !== line.slice(0, 16)) return undefined;
  return JSON.parse(text) as JournalRecord;
}

function damaged(path: string, line: number): CoordinatorError {
  const text = `journal: line ${line} of ${path} does not have its checksum, and more lines follow; only the last line of a journal can be cut short. Resume from a copy of the run, or remove the journal to go on from the last checkpoint.`;
  return new CoordinatorError("E_JOURNAL", text, { path, line });
}

class HistoryFold {
  #run: Omit<RunRecord, "kind"> | undefined;
  #generation = 0;
  #committedStep = 0;
  #metrics: MetricsLine | undefined;
  #members: readonly string[] = [];
  readonly #evaluations = new Map<number, number>();
  readonly #strikes = new Map<string, number>();
  readonly #banned = new Map<string, { name: string; reason: string }>();

  add(record: JournalRecord): void {
    switch (record.kind) {
      case "run":
        this.#run = record;
        return;
      case "membership":
        this.#generation = record.generation;
        this.#members = record.members.map(({ workerId }) => workerId);
        return;
      case "commit":
        this.#committedStep = record.step;
        this.#generation = Math.max(this.#generation, record.generation);
        this.#metrics = record.metrics ?? undefined;
        return;
      case "rewind":
        this.#committedStep = record.step;
        this.#metrics = undefined;
        for (const step of this.#evaluations.keys()) if (step > record.step) this.#evaluations.delete(step);
        return;
      case "evaluated":
        this.#evaluations.set(record.step, record.evalLoss);
        return;
      case "strike":
        this.#strikes.set(record.workerId, (this.#strikes.get(record.workerId) ?? 0) + 1);
        return;
      case "ban":
        this.#banned.set(record.workerId, { name: record.name, reason: record.reason });
        return;
      case "end":
        // They were told: nobody will come back.
        this.#members = [];
        return;
      case "checkpoint":
        return;
      default:
        record satisfies never;
    }
  }

  result(own: DirectoryIdentity, numTornBytes: number): JournalHistory {
    const directory = this.#run?.directory;
    return {
      run: this.#run,
      isCopy: directory !== undefined && (directory.inode !== own.inode || directory.host !== own.host),
      generation: this.#generation,
      committedStep: this.#committedStep,
      metrics: this.#metrics,
      members: this.#members,
      evaluations: this.#evaluations,
      strikes: this.#strikes,
      banned: this.#banned,
      numTornBytes,
    };
  }
}
