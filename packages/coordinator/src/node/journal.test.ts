import { cpSync, mkdtempSync, readFileSync, renameSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { JournalEntry } from "../state/journal-entry.js";
import type { MetricsLine } from "../state/run-summary.js";
import { isSameDirectory } from "./directory-identity.js";
import { Journal, journalPath, readJournal } from "./journal.js";
import { encodeJournalLine } from "./journal-record.js";

const start = (term: number, runId = "r1") => ({ runId, term, jobSha256: "job", lockstepVersion: "1" });
const commit = (step: number, hash = `g${step}`): JournalEntry => ({
  kind: "commit",
  step,
  generation: 1,
  gradientHash: hash,
  metrics: { step, loss: step / 2 } as MetricsLine,
  totals: null,
});

function newDir(): string {
  return mkdtempSync(join(tmpdir(), "lockstep-journal-"));
}

/** What one coordinator writes; without a start it goes on with the term before it. */
function write(dir: string, entries: readonly JournalEntry[], begun?: ReturnType<typeof start>): void {
  const { journal } = Journal.open(dir);
  if (begun !== undefined) journal.begin(begun);
  for (const entry of entries) expect(journal.append(entry)).toBeUndefined();
  expect(journal.dispose()).toBeUndefined();
}

test("a restarted coordinator reads back what the one before it wrote", () => {
  const dir = newDir();
  expect(readJournal(dir)).toBeUndefined();
  const members = [{ workerId: "w1", name: "one" }];
  const entries: JournalEntry[] = [
    { kind: "membership", term: 1, generation: 3, members },
    commit(1),
    { kind: "evaluated", step: 1, evalLoss: 2.5 },
    { kind: "checkpoint", step: 1, paramsSha256: "p1", reasons: ["time"] },
    { kind: "strike", workerId: "w2", reason: "a" },
    { kind: "strike", workerId: "w2", reason: "b" },
    { kind: "ban", workerId: "w2", name: "two", reason: "c" },
    commit(2),
  ];
  write(dir, entries, start(1));
  write(dir, [commit(3)], start(2));
  const history = readJournal(dir)!;
  expect(history).toMatchObject({
    run: { runId: "r1", jobSha256: "job", term: 2 },
    committedStep: 3,
    lastCommit: { step: 3, generation: 1, gradientHash: "g3", totals: null },
    metrics: { step: 3, loss: 1.5 },
    generation: 3,
    members: ["w1"],
    checkpoints: [{ step: 1, paramsSha256: "p1", reasons: ["time"] }],
    evaluations: new Map([[1, 2.5]]),
    strikes: new Map([["w2", 2]]),
    banned: new Map([["w2", { name: "two", reason: "c" }]]),
    end: undefined,
    isCopy: false,
    numTornBytes: 0,
  });
  write(dir, [{ kind: "end", status: "interrupted", step: 3 }]);
  expect(readJournal(dir)).toMatchObject({ members: [], end: { status: "interrupted", step: 3 } });
  write(dir, [], start(3));
  expect(readJournal(dir)).toMatchObject({ run: { term: 3 }, end: undefined });
});

test("a rewind forgets commits, evaluations and checkpoints after it, and keeps the bans", () => {
  const dir = newDir();
  const after = [1, 2, 3, 4].flatMap((step): JournalEntry[] => [
    commit(step),
    { kind: "evaluated", step, evalLoss: step },
    { kind: "checkpoint", step, paramsSha256: `p${step}`, reasons: [] },
  ]);
  write(dir, [...after, { kind: "ban", workerId: "w", name: "n", reason: "x" }], start(1));
  write(dir, [{ kind: "rewind", step: 2 }], start(2));
  const history = readJournal(dir)!;
  expect(history).toMatchObject({ committedStep: 2, lastCommit: { step: 2, gradientHash: "g2" }, run: { term: 2 } });
  expect([...history.evaluations.keys()]).toEqual([1, 2]);
  expect(history.checkpoints.map(({ step }) => step)).toEqual([1, 2]);
  expect(history.banned.size).toBe(1);
  write(dir, [commit(3, "other")]);
  expect(readJournal(dir)).toMatchObject({ committedStep: 3, lastCommit: { gradientHash: "other" } });
});

test("the generation of a membership that was never written is known from its commits", () => {
  const dir = newDir();
  write(dir, [{ ...commit(1), generation: 7 } as JournalEntry], start(1));
  expect(readJournal(dir)!.generation).toBe(7);
});

test("a journal cut at any byte loses the record that was cut and nothing before it", () => {
  const dir = newDir();
  write(dir, [commit(1), commit(2)], start(1));
  const path = journalPath(dir);
  const whole = readFileSync(path);
  const twoLines = whole.lastIndexOf("\n", whole.length - 2) + 1;
  for (let length = twoLines; length < whole.length; length++) {
    writeFileSync(path, whole);
    truncateSync(path, length);
    const { journal, history } = Journal.open(dir);
    expect(history.committedStep).toBe(1);
    expect(history.numTornBytes).toBe(length - twoLines);
    expect(statSync(path).size).toBe(twoLines);
    journal.append(commit(2, "again"));
    journal.dispose();
    expect(readJournal(dir)).toMatchObject({ numTornBytes: 0, lastCommit: { gradientHash: "again" } });
  }
});

test("any changed byte of the last line makes that line torn, of an earlier one E_JOURNAL", () => {
  const dir = newDir();
  write(dir, [commit(1), commit(2)], start(1));
  const path = journalPath(dir);
  const whole = readFileSync(path);
  const [first, second] = [whole.indexOf("\n") + 1, whole.lastIndexOf("\n", whole.length - 2) + 1];
  for (let at = first; at < whole.length; at++) {
    // Without its line end a line is one with the next.
    if (at === second - 1) continue;
    const changed = Buffer.from(whole);
    changed[at] = changed[at]! ^ 1;
    writeFileSync(path, changed);
    if (at >= second) expect(readJournal(dir)).toMatchObject({ committedStep: 1, numTornBytes: whole.length - second });
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
  write(dir, [commit(1), { kind: "ban", workerId: "w", name: "n", reason: "x" }], start(1));
  const [copy, moved] = [`${dir}-copy`, `${dir}-moved`];
  cpSync(dir, copy, { recursive: true, preserveTimestamps: true });
  expect(readJournal(copy)).toMatchObject({ isCopy: true, run: { runId: "r1" } });
  renameSync(dir, moved);
  expect(readJournal(moved)!.isCopy).toBe(false);
  // A fork writes its own run record into the copy, and has none of the workers.
  write(copy, [], start(1, "r2"));
  expect(readJournal(copy)).toMatchObject({ isCopy: false, run: { runId: "r2", term: 1 }, committedStep: 1 });
  expect(readJournal(copy)!.banned.size).toBe(0);
});

test("a new host name or device number makes no copy where birth times are known", () => {
  const own = { host: "a", device: "1", inode: "2", birthTimeNs: "3" };
  expect(isSameDirectory(own, { ...own, host: "b", device: "9" })).toBe(true);
  expect(isSameDirectory(own, { ...own, inode: "9" })).toBe(false);
  expect(isSameDirectory(own, { ...own, birthTimeNs: "9" })).toBe(false);
  const unborn = { ...own, birthTimeNs: "0" };
  expect(isSameDirectory(unborn, own)).toBe(true);
  expect(isSameDirectory(unborn, { ...unborn, host: "b" })).toBe(false);
  expect(isSameDirectory(unborn, { ...unborn, device: "9" })).toBe(false);
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
  // Of this process: on a busy machine the wall clock says little.
  const begin = process.cpuUsage();
  const history = readJournal(dir)!;
  const { user, system } = process.cpuUsage(begin);
  expect(history).toMatchObject({ committedStep: 1_000_000, lastCommit: { gradientHash: "g1000000" } });
  expect((user + system) / 1_000).toBeLessThan(3_000);
});
