import { appendFileSync, cpSync, mkdtempSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Journal } from "./journal.js";

const run = { runId: "r", term: 1, jobSha256: "a", lockstepVersion: "0.1.0" };

function newDir(): string {
  return mkdtempSync(join(tmpdir(), "lockstep-journal-"));
}

function written(dir: string): void {
  const { journal } = Journal.open(dir);
  journal.begin(run);
  const members = [{ workerId: "w0", name: "laptop" }];
  journal.append({ kind: "membership", term: 1, generation: 3, members });
  for (const step of [1, 2, 3])
    journal.append({ kind: "commit", step, generation: 3, gradientHash: "b", metrics: null, totals: null });
  journal.append({ kind: "evaluated", step: 2, evalLoss: 0.5 });
  journal.append({ kind: "strike", workerId: "w1", reason: "twice" });
  journal.append({ kind: "strike", workerId: "w1", reason: "again" });
  journal.append({ kind: "ban", workerId: "w2", name: "tablet", reason: "lied" });
  journal.dispose();
}

test("what was appended is there for the next coordinator", () => {
  const dir = newDir();
  written(dir);
  const { history } = Journal.open(dir);
  expect(history).toMatchObject({
    run,
    isCopy: false,
    generation: 3,
    committedStep: 3,
    members: ["w0"],
    numTornBytes: 0,
  });
  expect([...history.evaluations]).toEqual([[2, 0.5]]);
  expect([...history.strikes]).toEqual([["w1", 2]]);
  expect(history.banned.get("w2")).toEqual({ name: "tablet", reason: "lied" });
});

test("a rewind forgets the commits and evaluations after it", () => {
  const dir = newDir();
  written(dir);
  const { journal } = Journal.open(dir);
  journal.append({ kind: "rewind", step: 1 });
  journal.dispose();
  const { history } = Journal.open(dir);
  expect(history.committedStep).toBe(1);
  expect(history.evaluations.size).toBe(0);
});

test("a last line that a crash cut short, at whatever byte, is cut off and told", () => {
  const dir = newDir();
  written(dir);
  const path = join(dir, "journal.jsonl");
  const whole = readFileSync(path);
  const lastLine = whole.subarray(0, -1).lastIndexOf(10) + 1;
  for (const cut of [lastLine + 1, lastLine + 20, whole.length - 1]) {
    writeFileSync(path, whole.subarray(0, cut));
    const { journal, history } = Journal.open(dir);
    expect(history).toMatchObject({ committedStep: 3, numTornBytes: cut - lastLine });
    expect(history.banned.size).toBe(0);
    expect(journal.append({ kind: "rewind", step: 2 })).toBeUndefined();
    journal.dispose();
    expect(Journal.open(dir).history.committedStep).toBe(2);
  }
});

test("a changed byte before the last line is an error that names the line", () => {
  const dir = newDir();
  written(dir);
  const path = join(dir, "journal.jsonl");
  const bytes = readFileSync(path);
  bytes[bytes.indexOf(10) + 40]! ^= 1;
  writeFileSync(path, bytes);
  expect(() => Journal.open(dir)).toThrow(expect.objectContaining({ code: "E_JOURNAL", fields: { path, line: 2 } }));
});

test("a directory that was moved is itself, one that was copied is a copy", () => {
  const dir = newDir();
  written(dir);
  cpSync(dir, `${dir}-copy`, { recursive: true });
  renameSync(dir, `${dir}-moved`);
  expect(Journal.open(`${dir}-moved`).history.isCopy).toBe(false);
  expect(Journal.open(`${dir}-copy`).history.isCopy).toBe(true);
});

test("a hundred thousand commits are read without holding them", () => {
  const dir = newDir();
  written(dir);
  const line = readFileSync(join(dir, "journal.jsonl"), "utf8").split("\n")[2]!;
  const block = `${line}\n`.repeat(10_000);
  for (let i = 0; i < 10; i++) appendFileSync(join(dir, "journal.jsonl"), block);
  expect(Journal.open(dir).history.committedStep).toBe(1);
});
