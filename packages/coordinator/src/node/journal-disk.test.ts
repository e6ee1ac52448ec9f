import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import type { JournalEntry } from "../state/journal-entry.js";
import { Journal, journalPath, readJournal } from "./journal.js";

const disk = vi.hoisted(() => ({ isFull: false, numSyncs: 0 }));

/** A full disk takes half of what comes, then nothing. */
vi.mock("node:fs", async (importOriginal) => {
  const fs = await importOriginal<typeof import("node:fs")>();
  return {
    ...fs,
    writeSync: (file: number, bytes: Buffer, from: number, length: number, position: number) => {
      if (!disk.isFull) return fs.writeSync(file, bytes, from, length, position);
      if (from > 0) throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
      return fs.writeSync(file, bytes, from, Math.floor(length / 2), position);
    },
    fsyncSync: (file: number) => {
      disk.numSyncs++;
      fs.fsyncSync(file);
    },
  };
});

afterEach(() => {
  disk.isFull = false;
});

const start = { runId: "r", term: 1, jobSha256: "j", lockstepVersion: "1" };
const commit = (step: number): JournalEntry => ({
  kind: "commit",
  step,
  generation: 1,
  gradientHash: "g",
  metrics: null,
  totals: null,
});

function opened() {
  const dir = mkdtempSync(join(tmpdir(), "lockstep-journal-disk-"));
  return { dir, ...Journal.open(dir) };
}

test("records that a full disk does not take wait, and are written with the next one", () => {
  const { dir, journal } = opened();
  journal.begin(start);
  const before = readFileSync(journalPath(dir));
  disk.isFull = true;
  expect(journal.append(commit(1))).toMatch(/ENOSPC.*1 record is waiting/);
  expect(journal.append({ kind: "checkpoint", step: 1, paramsSha256: "p", reasons: [] })).toMatch(
    /2 records are waiting/,
  );
  // No half line is left.
  expect(readFileSync(journalPath(dir))).toEqual(before);
  disk.isFull = false;
  expect(journal.append(commit(2))).toBeUndefined();
  expect(readJournal(dir)).toMatchObject({ committedStep: 2, checkpoints: [{ step: 1 }], numTornBytes: 0 });
  journal.dispose();
});

test("while the disk is full for long, memory is bounded and commits are dropped before checkpoints", () => {
  const { dir, journal } = opened();
  journal.begin(start);
  disk.isFull = true;
  journal.append({ kind: "checkpoint", step: 1, paramsSha256: "p", reasons: [] });
  const told = new Set<string | undefined>();
  for (let step = 1; step <= 10_005; step++) told.add(journal.append(commit(step)));
  expect([...told].at(-1)).toMatch(/at least 10000 records are waiting.* 6 records are dropped/);
  // Told when the number has another length, not at each step.
  expect(told.size).toBeLessThan(20);
  disk.isFull = false;
  expect(journal.dispose()).toBeUndefined();
  const lines = readFileSync(journalPath(dir), "utf8").trimEnd().split("\n");
  expect(lines).toHaveLength(10_001);
  expect(readJournal(dir)).toMatchObject({ committedStep: 10_005, checkpoints: [{ step: 1 }] });
});

test("commits are not synced; starts, members, checkpoints, bans and the end are", () => {
  const { journal } = opened();
  const before = disk.numSyncs;
  journal.begin(start);
  expect(disk.numSyncs - before).toBe(1);
  const syncsOf = (entry: JournalEntry) => {
    const before = disk.numSyncs;
    journal.append(entry);
    return disk.numSyncs - before;
  };
  expect(syncsOf(commit(1))).toBe(0);
  expect(syncsOf({ kind: "evaluated", step: 1, evalLoss: 1 })).toBe(0);
  expect(syncsOf({ kind: "strike", workerId: "w", reason: "r" })).toBe(0);
  expect(syncsOf({ kind: "membership", term: 1, generation: 1, members: [] })).toBe(1);
  expect(syncsOf({ kind: "checkpoint", step: 1, paramsSha256: "p", reasons: [] })).toBe(1);
  expect(syncsOf({ kind: "ban", workerId: "w", name: "n", reason: "r" })).toBe(1);
  expect(syncsOf({ kind: "end", status: "completed", step: 1 })).toBe(1);
  journal.dispose();
});

test("a ban that waited while the disk was full is synced when a commit brings it along", () => {
  const { journal } = opened();
  journal.begin(start);
  disk.isFull = true;
  journal.append({ kind: "ban", workerId: "w", name: "n", reason: "r" });
  disk.isFull = false;
  const before = disk.numSyncs;
  expect(journal.append(commit(1))).toBeUndefined();
  expect(disk.numSyncs - before).toBe(1);
  journal.dispose();
});

test("a run does not begin on a disk that does not take its first record", () => {
  const { journal } = opened();
  disk.isFull = true;
  expect(() => journal.begin(start)).toThrow(expect.objectContaining({ code: "E_JOURNAL" }));
  expect(journal.dispose()).toMatch(/ENOSPC/);
});
