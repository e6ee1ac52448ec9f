import { cpSync, mkdtempSync, readFileSync, renameSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Journal, journalPath, readJournal } from "./journal.js";
import { encodeJournalLine, type JournalRecord } from "./journal-record.js";

const run = (term: number, runId = "r1"): JournalRecord => ({
  kind: "run",
  runId,
  term,
  jobSha256: "job",
  lockstepVersion: "1",
});
const commit = (step: number, hash = `g${step}`): JournalRecord => ({
  kind: "commit",
  step,
  generation: 1,
  gradientHash: hash,
  metrics: { loss: step / 2 },
  totals: null,
});

function newDir(): string {
  return mkdtempSync(join(tmpdir(), "lockstep-journal-"));
}

function write(dir: string, records: readonly JournalRecord[]): void {
  const { journal } = Journal.open(dir);
  for (const record of records) expect(journal.append(record)).toBeUndefined();
  expect(journal.dispose()).toBeUndefined();
}

test("a restarted coordinator reads back what the one before it wrote", () => {
  const dir = newDir();
  expect(readJournal(dir)).toBeUndefined();
  write(dir, [
    run(1),
    { kind: "membership", term: 1, generation: 3, members: [{ workerId: "w1", name: "one" }] },
    commit(1),
    { kind: "evaluated", step: 1, evalLoss: 2.5 },
    { kind: "checkpoint", step: 1, paramsSha256: "p1", reasons: ["time"] },
    { kind: "strike", workerId: "w2", reason: "a" },
    { kind: "strike", workerId: "w2", reason: "b" },
    { kind: "ban", workerId: "w2", reason: "c" },
    commit(2),
    run(2),
    commit(3),
    { kind: "end", status: "interrupted", step: 3 },
  ]);
  expect(readJournal(dir)).toMatchObject({
    runId: "r1",
    jobSha256: "job",
    lastTerm: 2,
    committedStep: 3,
    lastCommit: { step: 3, generation: 1, gradientHash: "g3", metrics: { loss: 1.5 }, totals: null },
    generation: 3,
    members: [{ workerId: "w1", name: "one" }],
    checkpoints: [{ step: 1, paramsSha256: "p1", reasons: ["time"] }],
    evaluations: new Map([[1, 2.5]]),
    strikes: new Map([["w2", 2]]),
    bans: new Map([["w2", "c"]]),
    end: { status: "interrupted", step: 3 },
    isCopy: false,
    torn: undefined,
  });
});

test("a rewind forgets commits, evaluations and checkpoints after it, and keeps the bans", () => {
  const dir = newDir();
  const after = [1, 2, 3, 4].flatMap((step): JournalRecord[] => [
    commit(step),
    { kind: "evaluated", step, evalLoss: step },
    { kind: "checkpoint", step, paramsSha256: `p${step}`, reasons: [] },
  ]);
  write(dir, [run(1), ...after, { kind: "ban", workerId: "w", reason: "x" }, run(2), { kind: "rewind", step: 2 }]);
  const history = readJournal(dir)!;
  expect(history).toMatchObject({ committedStep: 2, lastCommit: { step: 2, gradientHash: "g2" }, lastTerm: 2 });
  expect([...history.evaluations.keys()]).toEqual([1, 2]);
  expect(history.checkpoints.map(({ step }) => step)).toEqual([1, 2]);
  expect(history.bans.size).toBe(1);
  write(dir, [commit(3, "other")]);
  expect(readJournal(dir)).toMatchObject({ committedStep: 3, lastCommit: { gradientHash: "other" } });
});

test("a journal cut at any byte loses the record that was cut and nothing before it", () => {
  const dir = newDir();
  write(dir, [run(1), commit(1), commit(2)]);
  const path = journalPath(dir);
  const whole = readFileSync(path);
  const twoLines = whole.lastIndexOf("\n", whole.length - 2) + 1;
  for (let length = twoLines; length < whole.length; length++) {
    writeFileSync(path, whole);
    truncateSync(path, length);
    const { journal, history } = Journal.open(dir);
    expect(history.committedStep).toBe(1);
    expect(history.torn === undefined).toBe(length === twoLines);
    expect(statSync(path).size).toBe(twoLines);
    journal.append(commit(2, "again"));
    journal.dispose();
    expect(readJournal(dir)).toMatchObject({ torn: undefined, lastCommit: { gradientHash: "again" } });
  }
});

test("any changed byte of the last line makes that line torn, of an earlier one E_JOURNAL", () => {
  const dir = newDir();
  write(dir, [run(1), commit(1), commit(2)]);
  const path = journalPath(dir);
  const whole = readFileSync(path);
  const [first, second] = [whole.indexOf("\n") + 1, whole.lastIndexOf("\n", whole.length - 2) + 1];
  for (let at = first; at < whole.length; at++) {
    // Without its line end a line is one with the next.
    if (at === second - 1) continue;
    const changed = Buffer.from(whole);
    changed[at] = changed[at]! ^ 1;
    writeFileSync(path, changed);
    if (at >= second) expect(readJournal(dir)).toMatchObject({ committedStep: 1, torn: expect.any(String) });
    else
      expect(() => Journal.open(dir)).toThrow(
        expect.objectContaining({ code: "E_JOURNAL", fields: expect.objectContaining({ line: 2, offset: first }) }),
      );
  }
  // Nothing was cut off of the damaged file.
  expect(statSync(path).size).toBe(whole.length);
});

test("a file that never was a journal is not emptied, and a record of a later version is named", () => {
  const dir = newDir();
  writeFileSync(journalPath(dir), "something\nelse\n");
  expect(() => Journal.open(dir)).toThrow(expect.objectContaining({ code: "E_JOURNAL" }));
  expect(readFileSync(journalPath(dir), "utf8")).toBe("something\nelse\n");
  writeFileSync(journalPath(dir), encodeJournalLine({ kind: "merge" }));
  expect(() => readJournal(dir)).toThrow(/line 1 of .* is whole and is no record that this version knows/);
});

test("a copied directory is told from a moved one", () => {
  const dir = newDir();
  write(dir, [run(1), commit(1)]);
  const [copy, moved] = [`${dir}-copy`, `${dir}-moved`];
  cpSync(dir, copy, { recursive: true, preserveTimestamps: true });
  expect(readJournal(copy)).toMatchObject({ isCopy: true, runId: "r1" });
  renameSync(dir, moved);
  expect(readJournal(moved)!.isCopy).toBe(false);
  // A fork writes its own run record into the copy.
  write(copy, [run(2, "r2")]);
  expect(readJournal(copy)).toMatchObject({ isCopy: false, runId: "r2", lastTerm: 2 });
  expect(readJournal(copy)!.identities).toHaveLength(2);
});

test("a record after the end is an error text, not a throw", () => {
  const { journal } = Journal.open(newDir());
  journal.dispose();
  journal.dispose();
  expect(journal.append(commit(1))).toMatch(/is closed; a commit record came too late/);
});

test("a million commits are read in seconds", () => {
  const dir = newDir();
  const lines: Buffer[] = [];
  for (let step = 1; step <= 1_000_000; step++) lines.push(encodeJournalLine(commit(step)));
  writeFileSync(journalPath(dir), Buffer.concat(lines));
  const begin = performance.now();
  const history = readJournal(dir)!;
  const ms = performance.now() - begin;
  expect(history).toMatchObject({ committedStep: 1_000_000, lastCommit: { gradientHash: "g1000000" } });
  expect(ms).toBeLessThan(3_000);
});
