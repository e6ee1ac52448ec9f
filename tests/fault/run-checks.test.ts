import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { LineFile } from "./lib/line-file.js";
import { findViolations } from "./lib/run-checks.js";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

const lines = (entries: readonly object[]) => entries.map((entry) => `${JSON.stringify(entry)}\n`).join("");

/** A run directory with these steps, as files. */
function runDirectory(
  steps: readonly (readonly [step: number, loss: number | null])[],
  { summary = {}, hashes = ["h0", "h1", "h2"] }: { readonly summary?: object; readonly hashes?: string[] } = {},
): string {
  const out = mkdtempSync(join(tmpdir(), "lockstep-checks-"));
  folders.push(out);
  const whole = { status: "completed", steps: 3, paramsSha256: "aa", evalLoss: 0.5, ...summary };
  writeFileSync(join(out, "summary.json"), JSON.stringify(whole));
  writeFileSync(join(out, "metrics.jsonl"), lines(steps.map(([step, loss]) => ({ step, loss }))));
  const commits = steps.map(([step]) => ({ type: "commit", step, previousStateHash: hashes[step - 1] }));
  writeFileSync(join(out, "events.jsonl"), lines(commits));
  return out;
}

const expected = {
  ...{ paramsSha256: "aa", evalLoss: 0.5 },
  metrics: [1, 2, 3].map((step) => ({ step, loss: step / 10 })),
  commits: [1, 2, 3].map((step) => ({ step, previousStateHash: `h${step - 1}` })),
};
const good = [
  [1, 0.1],
  [2, null],
  [3, 0.3],
] as const;

test("a run like the undisturbed one violates nothing", () => {
  expect(findViolations(runDirectory(good), expected)).toEqual([]);
});

test("finds a step that is missing, one that is there twice, one too many, and disorder", () => {
  const found = findViolations(runDirectory([good[1], good[0], good[0], [4, 0.4]]), expected);
  expect(found).toEqual(
    expect.arrayContaining([
      "metrics.jsonl: step 1 is there 2 times",
      "metrics.jsonl: step 3 is missing",
      "metrics.jsonl: steps 4 do not belong to the run",
      "metrics.jsonl: step 1 comes after 2",
      "commit events: step 1 is there 2 times",
      "commit events: step 3 is missing",
    ]),
  );
});

test("finds another loss, another state, other parameters, another end", () => {
  const summary = { paramsSha256: "bb", status: "failed" };
  const out = runDirectory([good[0], [2, 0.25], good[2]], { summary, hashes: ["h0", "h1", "no"] });
  expect(findViolations(out, expected)).toEqual([
    "loss of step 2 is 0.25; undisturbed it was 0.2",
    "previousStateHash of step 3 is no; undisturbed it was h2",
    "summary: status is failed; it must be completed",
    "summary: paramsSha256 is bb; it must be aa",
  ]);
});

test("a line file gives whole lines as they come, and starts over when the file was written anew", () => {
  const folder = runDirectory(good);
  mkdirSync(join(folder, "x"));
  const path = join(folder, "x", "events.jsonl");
  const file = new LineFile(path);
  expect(file.read()).toEqual([]);
  writeFileSync(path, '{"step":1}\n{"st');
  expect(file.read()).toEqual([{ step: 1 }]);
  writeFileSync(path, 'ep":2}\n', { flag: "a" });
  expect(file.read()).toEqual([{ step: 1 }, { step: 2 }]);
  writeFileSync(path, '{"step":7}\n');
  expect(file.read()).toEqual([{ step: 7 }]);
});
